"""Derived ids: the same for the same inputs, of the parent's time, and valid UUIDs."""

from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from app.core.ids import Ids, derive_id

parents = st.builds(lambda: Ids().new())


@given(parents, st.binary(max_size=40))
def test_derived_id_is_a_version_7_uuid_of_the_parents_time(parent: UUID, part: bytes) -> None:
    derived = derive_id(parent, part)
    assert (derived.version, derived.variant) == (7, RFC_4122)
    assert derived.bytes[:6] == parent.bytes[:6]
    assert derived == derive_id(parent, part)


@given(parents, st.binary(max_size=8), st.binary(max_size=8))
def test_derived_ids_differ_when_their_parts_do(parent: UUID, one: bytes, two: bytes) -> None:
    assert (derive_id(parent, one) == derive_id(parent, two)) == (one == two)
