"""Every secret of the schema is sealed, and in the one list of what is."""

from app.assembly import Services
from app.storage.sealed_columns import SEALED_COLUMNS

WORDS = ("secret", "private_key", "password", "sealed", "refresh_token", "access_token")


async def test_column_is_listed_when_its_name_says_that_it_holds_a_secret(
    services: Services,
) -> None:
    rows = await services.database.fetch(
        """select table_name, column_name from information_schema.columns
        where table_schema = 'public' and column_name not like '%hash'
            and column_name like any($1::text[])""",
        [f"%{word}%" for word in WORDS],
    )
    held = {(row["table_name"], row["column_name"]) for row in rows}
    assert held <= {(column.table, column.column) for column in SEALED_COLUMNS}


async def test_listed_column_is_there_with_its_primary_key(services: Services) -> None:
    for column in SEALED_COLUMNS:
        assert await services.database.fetch_value(
            """select true from information_schema.columns
            join information_schema.table_constraints as c using (table_schema, table_name)
            join information_schema.key_column_usage as k using (constraint_name, table_name)
            where table_name = $1 and k.column_name = $2 and columns.column_name = $3
                and data_type = 'bytea' and constraint_type = 'PRIMARY KEY'""",
            column.table,
            column.key,
            column.column,
        ), column
