"""From settings to services: the only place where parts are put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from piccolo.engine.postgres import PostgresEngine

from app.access.audit import Audit
from app.access.directory import DirectoryChanges
from app.access.domain_changes import DomainChanges
from app.access.idempotency import Writes
from app.access.keys import ApiKeys
from app.access.magic_link import MagicLinkMail
from app.access.oidc import OpenIdProviders
from app.access.parked_review import ParkedReview
from app.access.rate_limits import RateLimits
from app.access.sessions import Sessions
from app.access.sign_in import SignIn
from app.access.sign_in_policy import SignInPolicies
from app.access.sign_in_requests import SignInRequests
from app.access.sign_in_settings import SignInSettings
from app.access.single_sign_on import SingleSignOn
from app.access.sso_connections import SsoConnections
from app.access.tenant_visits import TenantVisits
from app.access.users import Users
from app.consumers.authentication import Authentication
from app.consumers.indexer import Indexer
from app.consumers.live import LiveFeed
from app.consumers.webhooks import Webhooks
from app.core.clock import Clock, SystemClock
from app.core.dns import Resolver, system_servers
from app.core.egress.client import Egress
from app.core.egress.dial import SystemResolver
from app.core.encryption import Keyring
from app.core.errors import BadSetting
from app.core.ids import Ids
from app.directory.domain_checks import DomainChecks
from app.directory.domain_dns import DomainDns
from app.directory.domain_records import Installation
from app.directory.domains import Domains
from app.directory.mailboxes import Mailboxes
from app.directory.owner_notices import OwnerNotices
from app.directory.recipients import Recipients
from app.directory.routes import Routes
from app.directory.signing_keys import SigningKeys
from app.directory.snapshot import snapshot_path
from app.directory.snapshot_writer import SnapshotWriter
from app.directory.tenants import Tenants
from app.eventlog.append import EventLog
from app.eventlog.parked import ParkedEvents
from app.inbound.authentication.authenticator import Authenticator
from app.inbound.authentication.organisation import Organisations
from app.inbound.pipeline.drain import Drain
from app.inbound.pipeline.pipeline import Pipeline
from app.inbound.pipeline.quarantine import Quarantine
from app.inbound.pipeline.quarantine_review import QuarantineReview
from app.inbound.pipeline.record import Recorder
from app.inbound.pipeline.refused import RefusedMailReader
from app.inbound.pipeline.route import Router
from app.inbound.pipeline.store import Storekeeper
from app.inbound.pipeline.work import WorkReport
from app.inbox.actions import Actions
from app.inbox.kept_lists import KeptLists
from app.inbox.labels import Labels
from app.inbox.pictures import RemotePictures
from app.inbox.raw_archive import RawArchive
from app.inbox.reading import Reading
from app.inbox.removal import Removal
from app.inbox.sample import Sample
from app.inbox.signed_links import SignedLinks
from app.inbox.temporary import TemporaryInboxes
from app.inbox.temporary_limits import TemporaryLimits
from app.outbound.lanes import open_outbox, open_transport
from app.outbound.mail_templates import MailTemplates
from app.outbound.outbox import Outbox
from app.outbound.owner_mail import OwnerMail
from app.search.correspondents import Correspondents
from app.search.port import SearchIndex
from app.search.postgres import PostgresIndex
from app.search.rebuilds import Rebuilds
from app.search.saved import SavedSearches
from app.search.search import Search
from app.search.suggestions import Suggestions
from app.search.waiting import Waiting
from app.settings import Listen, Settings
from app.storage.blobs.counted import CountedBlobs
from app.storage.db.database import Database
from app.storage.doorbell import Doorbell
from app.storage.refused_mail import RefusedMailFolder
from app.storage.schedule_notes import ScheduleNotes
from app.storage.sealed_secrets import SealedSecrets
from app.storage.spool.forms import Spool
from app.storage.spool.port import SpoolReader
from app.storage.stores import open_blobs, open_spool
from app.tracing.traces import Traces
from app.webhooks.call import Caller
from app.webhooks.deliverer import Deliverer
from app.webhooks.deliveries import WebhookDeliveries
from app.webhooks.endpoints import WebhookEndpoints
from app.webhooks.replays import WebhookReplays
from app.webhooks.settling import Settling
from piccolo_conf import DB

if TYPE_CHECKING:
    from app.consumers.kafka import KafkaPublisher

# Nobody waits for a domain as they do for a mail: a slow answer is better than none.
_SECONDS_PER_QUESTION = 4.0
_WEBHOOK_RESOLVERS = 64


@dataclass(frozen=True, slots=True)
class Services:
    """Every feature of an installation, wired to its stores."""

    settings: Settings
    clock: Clock
    ids: Ids
    engine: PostgresEngine
    database: Database
    doorbell: Doorbell
    egress: Egress
    keyring: Keyring
    sealed_secrets: SealedSecrets
    blobs: CountedBlobs
    spool: Spool
    log: EventLog
    tenants: Tenants
    domains: Domains
    domain_changes: DomainChanges
    domain_checks: DomainChecks
    owner_notices: OwnerNotices
    mailboxes: Mailboxes
    routes: Routes
    recipients: Recipients
    directory_changes: DirectoryChanges
    users: Users
    audit: Audit
    keys: ApiKeys
    sessions: Sessions
    sign_in: SignIn
    sign_in_requests: SignInRequests
    sign_in_policies: SignInPolicies
    sso_connections: SsoConnections
    sign_in_settings: SignInSettings
    single_sign_on: SingleSignOn
    outbox: Outbox
    rate_limits: RateLimits
    writes: Writes
    inboxes: TemporaryInboxes
    kept_lists: KeptLists
    reading: Reading
    traces: Traces
    actions: Actions
    labels: Labels
    removal: Removal
    links: SignedLinks
    archive: RawArchive
    pictures: RemotePictures
    sample: Sample
    feed: LiveFeed
    quarantine: Quarantine
    search_index: SearchIndex
    search: Search
    waiting: Waiting
    saved_searches: SavedSearches
    suggestions: Suggestions
    rebuilds: Rebuilds
    webhook_endpoints: WebhookEndpoints
    webhook_deliveries: WebhookDeliveries
    webhook_replays: WebhookReplays
    schedule_notes: ScheduleNotes

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connections are open while the context lasts. The stores may still be away."""
        await self.database.open()
        try:
            async with self.doorbell.listening():
                yield
        finally:
            await self.search_index.close()
            await self.schedule_notes.close()
            await self.doorbell.close()
            await self.database.close()

    def indexer(self) -> Indexer:
        correspondents = Correspondents(self.database, self.ids)
        return Indexer(self.log, self.search_index, correspondents, self.rebuilds)

    def snapshot_writer(self) -> SnapshotWriter:
        return SnapshotWriter(
            self.database,
            self.doorbell,
            snapshot_path(self.settings),
            temporary_max_message_bytes=self.settings.temporary_max_message_bytes,
        )

    def refused_mail_reader(self) -> RefusedMailReader:
        return RefusedMailReader(RefusedMailFolder.of(self.settings), self.log)

    def webhooks(self) -> Webhooks:
        return Webhooks(
            self.database, self.doorbell, self.clock, public_url=self.settings.public_url
        )

    def webhook_deliverer(self) -> Deliverer:
        # Threads of its own, and many: names that are never resolved must not keep others waiting.
        egress = Egress(
            self.settings.egress_allow, resolve=SystemResolver(threads=_WEBHOOK_RESOLVERS)
        )
        return Deliverer(
            self.log,
            Caller(egress, self.keyring, self.clock),
            Settling(self.log, self.ids),
            self.ids,
        )

    def magic_link_mail(self) -> MagicLinkMail | None:
        """None where no way is set for sign-in mail to leave."""
        url = self.settings.auth_mail
        if url is None:
            return None
        return MagicLinkMail(
            self.sign_in_requests,
            self.sign_in,
            self.rate_limits,
            open_transport(self.settings, url, self.ids),
            MailTemplates(),
            self.database,
            self.clock,
            self.ids,
            public_url=self.settings.public_url,
            sender=self.settings.mail_sender,
            mails_per_hour=self.settings.sign_in_mails_per_hour,
        )

    def owner_mail(self) -> OwnerMail | None:
        """None where no way is set for our own mail to leave."""
        url = self.settings.auth_mail
        if url is None:
            return None
        return OwnerMail(
            self.owner_notices,
            open_transport(self.settings, url, self.ids),
            MailTemplates(),
            public_url=self.settings.public_url,
            sender=self.settings.mail_sender,
        )

    def authentication(self) -> Authentication:
        """With a DNS cache of its own, so one for a process."""
        servers = [(one.host, one.port) for one in self.settings.dns_resolvers.addresses]
        return Authentication(
            self.database,
            self.log,
            self.blobs,
            Authenticator(Resolver(servers), Organisations()),
            self.clock,
        )

    def kafka(self) -> "KafkaPublisher | None":
        """None where no brokers are set. Raises `BadSetting` where their client is missing."""
        if self.settings.kafka_brokers is None:
            return None
        try:
            from app.consumers.kafka import KafkaPublisher, configure_client
        except ModuleNotFoundError as error:
            if error.name != "confluent_kafka":
                raise
            raise BadSetting(
                "KAFKA_BROKERS is set, but Kafka's client is not installed: "
                "pip install 'pillarbox[kafka]'."
            ) from error
        return KafkaPublisher(configure_client(self.settings), self.settings.kafka_topic)

    def quarantine_review(self) -> QuarantineReview:
        return QuarantineReview(self.quarantine, self.pipeline("quarantine"), self.log, self.audit)

    def parked_review(self) -> ParkedReview:
        return ParkedReview(ParkedEvents(self.log), self.log, self.audit)

    def tenant_visits(self) -> TenantVisits:
        return TenantVisits(self.users, self.sessions)

    def work_report(self) -> WorkReport:
        return WorkReport(self.log, self.spool, self.rebuilds, self.schedule_notes)

    def pipeline(self, spool: str) -> Pipeline:
        return Pipeline(
            spool=spool,
            router=Router(self.recipients, self.mailboxes),
            storekeeper=Storekeeper(self.blobs),
            recorder=Recorder(self.log, TemporaryLimits.read(self.settings), self.clock, self.ids),
        )

    def drain(self, reader: SpoolReader) -> Drain:
        return Drain(
            reader=reader,
            pipeline=self.pipeline(reader.name),
            quarantine=self.quarantine,
            database=self.database,
            clock=self.clock,
        )


def assemble(settings: Settings, *, clock: Clock | None = None, ids: Ids | None = None) -> Services:
    """Wires an installation. Nothing is opened yet. Raises `BadSetting` for what is missing."""
    if settings.database_url is None or settings.redis_url is None:
        raise BadSetting(
            "DATABASE_URL and REDIS_URL must be set. `pillarbox up` starts both by itself."
        )
    clock, ids = clock or SystemClock(), ids or Ids()
    database = Database(DB, settings.database_url.reveal())
    doorbell = Doorbell(settings.redis_url.reveal())
    blobs = CountedBlobs(open_blobs(settings))
    egress = Egress(settings.egress_allow)
    keyring = Keyring(settings.encryption_keys)
    sign_in_policies = SignInPolicies(database)
    sso_connections = SsoConnections(database, keyring, clock)
    log = EventLog(database, doorbell, clock, ids)
    audit = Audit(database, clock, ids)
    sessions = Sessions(database, log, clock, ids)
    sign_in_requests = SignInRequests(database, doorbell, clock, ids)
    rate_limits = RateLimits(settings.redis_url.reveal())
    domains = Domains(database, log, clock, ids)
    tenants = Tenants(database, clock, ids)
    mailboxes = Mailboxes(database, log, domains, clock, ids)
    routes = Routes(database, clock, ids)
    recipients = Recipients(database, clock)
    search_index = open_index(settings, database)
    feed = LiveFeed(database, doorbell)
    reading = Reading(database, log, ids)
    saved_searches = SavedSearches(database, clock, ids)
    return Services(
        settings=settings,
        clock=clock,
        ids=ids,
        engine=DB,
        database=database,
        doorbell=doorbell,
        egress=egress,
        keyring=keyring,
        sealed_secrets=SealedSecrets(database, keyring),
        blobs=blobs,
        spool=open_spool(settings, clock, ids),
        log=log,
        tenants=tenants,
        domains=domains,
        domain_changes=DomainChanges(log, domains, audit),
        domain_checks=DomainChecks(
            database,
            log,
            open_domain_dns(settings),
            SigningKeys(database, keyring, clock, ids),
            describe_installation(settings),
            clock,
            ids,
        ),
        owner_notices=OwnerNotices(database, clock),
        mailboxes=mailboxes,
        routes=routes,
        recipients=recipients,
        directory_changes=DirectoryChanges(log, audit, tenants, mailboxes, routes),
        users=Users(database, log, audit, sessions, sign_in_requests, clock, ids),
        audit=audit,
        keys=ApiKeys(database, log, audit, clock, ids),
        sessions=sessions,
        sign_in=SignIn(database, log, sessions, rate_limits, settings.secret_key, clock, ids),
        sign_in_requests=sign_in_requests,
        sign_in_policies=sign_in_policies,
        sign_in_settings=SignInSettings(sign_in_policies, sso_connections, sessions, log, audit),
        sso_connections=sso_connections,
        single_sign_on=SingleSignOn(
            sso_connections,
            OpenIdProviders(egress, clock, https_only=settings.production),
            log,
            audit,
            sessions,
            clock,
            ids,
            public_url=settings.public_url,
        ),
        outbox=open_outbox(settings, ids),
        rate_limits=rate_limits,
        writes=Writes(log, clock, ids),
        inboxes=TemporaryInboxes(
            database,
            log,
            domains,
            clock,
            ids,
            TemporaryLimits.read(settings),
            domain_name=settings.temporary_domain,
            ttl_seconds=settings.temporary_ttl_seconds,
            max_ttl_seconds=settings.temporary_max_ttl_seconds,
        ),
        kept_lists=KeptLists(database, clock),
        reading=reading,
        traces=Traces(database),
        actions=Actions(log, clock, ids),
        labels=Labels(database, clock, ids),
        removal=Removal(database, log, blobs, clock, ids),
        links=SignedLinks(settings.secret_key, clock),
        archive=RawArchive(database, blobs, clock),
        pictures=RemotePictures(egress),
        sample=Sample(settings.smtp_listen, clock),
        feed=feed,
        quarantine=Quarantine(database, log, blobs, recipients, clock, ids),
        search_index=search_index,
        search=Search(database, search_index, clock),
        waiting=Waiting(database, feed, reading, clock),
        saved_searches=saved_searches,
        suggestions=Suggestions(database, saved_searches),
        rebuilds=Rebuilds(database, clock, settings.search_engine),
        webhook_endpoints=WebhookEndpoints(database, log, audit, keyring, clock, ids),
        webhook_deliveries=WebhookDeliveries(database, doorbell, clock, ids),
        webhook_replays=WebhookReplays(
            database, log, audit, clock, ids, public_url=settings.public_url
        ),
        schedule_notes=ScheduleNotes.of(settings.redis_url.reveal()),
    )


def open_domain_dns(settings: Settings) -> DomainDns:
    """Each server for itself, so that what one says can be held against the others."""
    servers = settings.dns_resolvers.addresses or [Listen(*one) for one in system_servers()]
    return DomainDns(
        {
            str(one): Resolver(
                [(one.host, one.port)],
                keeps_answers=False,
                seconds_per_question=_SECONDS_PER_QUESTION,
            )
            for one in servers
        }
    )


def describe_installation(settings: Settings) -> Installation:
    """What the records of domains say of us."""
    leaves_by_ses = settings.auth_mail is not None and settings.auth_mail.scheme == "ses"
    return Installation(
        mx_hosts=settings.mx_hosts,
        web_host=urlsplit(settings.public_url).hostname or "localhost",
        spf_include="amazonses.com" if leaves_by_ses else "",
    )


def open_index(settings: Settings, database: Database) -> SearchIndex:
    # Whoosh takes a while to import, which an installation without it need not pay.
    if settings.search_engine == "whoosh":
        from app.search.whoosh_engine.index import WhooshIndex

        return WhooshIndex(settings.search_folder)
    return PostgresIndex(database)
