"""The journal's tables, and what each column means.

A row is stored once, in reading order; row_ids.py makes its id. Its state is its own
``state`` if set, else that of its chunk; so accepting a chunk of 500 writes one line, not 500.
``chunks.rows`` counts the rows that follow their chunk: every row is counted exactly once, in
``rows.state`` or in one chunk. With deliveries it is the same: what most rows of a chunk have in
common stands in the chunk, and of the rows that follow it only the others have their own.

The text is SQLite's; postgres/schema.py puts it into PostgreSQL's words.
"""

from __future__ import annotations

__all__ = ["STATEMENTS", "VERSION"]

VERSION = 6  # nothing of it is released: a new column goes in here and into `sqlite.schema._from_5`

_TABLES = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY,                -- id: as in its witness, commits: the durable ones so far,
                                         -- lost: the jobs that only the witness knows,
                                         -- suppressed: how often suppressions were added,
                                         -- pseudonyms: the secret of those that there are,
                                         -- put_back: until when what happened may be unknown,
                                         -- lacks: what a machine knows that this one does not
    value
) WITHOUT ROWID;

CREATE TABLE jobs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,  -- never a second time: the witness bears it
    name        TEXT NOT NULL UNIQUE,
    provider    TEXT NOT NULL,
    account     TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('planning', 'planned')),
    message     TEXT NOT NULL,           -- Message.to_json
    columns     TEXT NOT NULL,           -- JSON array: the names of the rows' fields
    content     BLOB,                    -- of what is sent, whenever; NULL: of no other job
    fingerprint BLOB,                    -- of message and list, once planned
    read        INTEGER NOT NULL,        -- rows read from the source
    planner     INTEGER NOT NULL,        -- the worker that plans or planned it
    replans     INTEGER NOT NULL DEFAULT 0,  -- how often rejected rows were planned again
    created     REAL NOT NULL,           -- seconds since 1970, as all times here
    stopped     TEXT,                    -- why the last engine stopped before the end
    cancelled   REAL,                    -- when a person did so; NULL: it is not
    held        TEXT,                    -- rows are rejected for the account's sake, in these words
    rate        TEXT,                    -- recipients in a time, such as 5000/h; NULL: no limit
    suppressed  INTEGER NOT NULL DEFAULT 0,  -- meta.suppressed as the list was compared with them
    erased      INTEGER NOT NULL DEFAULT 0,  -- 1: people were removed from it, 2: from every row
    pruned      REAL,                    -- when that began, for every row
    again       INTEGER NOT NULL DEFAULT 0  -- 1: to everybody, whatever earlier jobs have sent
);
CREATE INDEX jobs_by_fingerprint ON jobs (fingerprint);
CREATE INDEX jobs_by_content ON jobs (content);

CREATE TABLE workers (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,  -- never a second time: locks bear it
    job   INTEGER NOT NULL,
    process INTEGER NOT NULL,            -- its number in the system, for whoever looks
    sends INTEGER NOT NULL,              -- 0: it only asks what became of what was sent
    until REAL,                          -- it sends nothing before, and why
    why   TEXT,
    ended INTEGER NOT NULL DEFAULT 0,    -- it left, or was found dead: it never takes again
    lease REAL,                          -- until when it lives, by the database's clock; NULL: it
                                         -- lives as long as its lock
    machine TEXT                         -- its name, for whoever looks
);
CREATE INDEX workers_at_work ON workers (job) WHERE ended = 0;

CREATE TABLE rows (
    id       INTEGER PRIMARY KEY,        -- see row_ids.py
    line     INTEGER NOT NULL,
    address  TEXT NOT NULL,              -- as it goes on the wire; as read if invalid
    key      TEXT,                       -- what makes two addresses the same, if not address
    fields   TEXT,                       -- JSON array in the order of jobs.columns
    size     INTEGER,                    -- bytes in the request
    state    TEXT CHECK (state IS NULL OR state IN  -- NULL first: the list costs 2 µs a row
             ('invalid', 'duplicate', 'suppressed', 'accepted', 'rejected', 'in doubt')),
    reason   TEXT,
    chunk    INTEGER,                    -- set where the row left the range of its chunk
    delivery INTEGER                     -- DeliveryStatus, as last heard; 0: nothing heard
);
CREATE INDEX rows_by_state ON rows (state, id) WHERE state IS NOT NULL;
CREATE INDEX rows_moved ON rows (chunk, id) WHERE chunk IS NOT NULL;

CREATE TABLE chunks (
    job        INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN
               ('planned', 'loading', 'sending', 'accepted', 'rejected', 'in doubt', 'empty')),
    first      INTEGER NOT NULL,         -- rows.id, inclusive; 0 and -1: moved rows only
    last       INTEGER NOT NULL,
    rows       INTEGER NOT NULL,         -- rows whose state is this chunk's
    attempt    INTEGER NOT NULL,
    takes      INTEGER NOT NULL DEFAULT 0,  -- how often it was taken to be sent; never goes down
    worker     INTEGER,                  -- that took it last; with takes, the ticket
    started    REAL,                     -- committed before the request's first byte
    ended      REAL,
    reference  TEXT,                     -- the provider's name for it, or for its response
    reason     TEXT,
    reconciled INTEGER NOT NULL,         -- 1: every row was found, or the deadline passed; 2: the
                                         -- provider can't be asked
    unfinished INTEGER NOT NULL,         -- rows whose delivery is not final, once reconciled
    cursor     TEXT,                     -- the provider's mark for the next stage, or poll
    delivery   INTEGER NOT NULL DEFAULT 0,  -- of the rows that follow it and have none
    own_delivery_rows INTEGER NOT NULL DEFAULT 0,  -- that follow it and have their own delivery
    root       INTEGER,                  -- the refused chunk that it was cut from
    role       TEXT CHECK (role IN ('probe', 'trial', 'again')),  -- see narrowing.py
    stage      INTEGER NOT NULL DEFAULT 0,  -- the provider's stage that is next, or under way
    until      REAL,                     -- not to be taken, or asked about, before; the reason
                                         -- says why
    looks      INTEGER NOT NULL DEFAULT 0,  -- how often it was asked what became of it
    statistics TEXT,                     -- JSON object: what the provider counts of its messages
    anew       INTEGER NOT NULL DEFAULT 0,  -- 1: what was prepared for it has a row too many
    accepted_rows INTEGER NOT NULL DEFAULT 0,  -- that were sent in it, and have this state of their
    rejected_rows INTEGER NOT NULL DEFAULT 0,  -- own
    in_doubt_rows INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, n)
) WITHOUT ROWID;
CREATE INDEX chunks_by_state ON chunks (job, state, n);
CREATE INDEX chunks_by_first ON chunks (job, first);
CREATE INDEX chunks_by_reference ON chunks (reference) WHERE reference IS NOT NULL;
CREATE INDEX chunks_by_root ON chunks (job, root) WHERE root IS NOT NULL;
CREATE INDEX chunks_by_role ON chunks (job, role) WHERE role IS NOT NULL;

CREATE TABLE parts (                     -- of chunks at a stage that is done part by part
    job    INTEGER NOT NULL,
    chunk  INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    state  TEXT NOT NULL CHECK (state IN ('planned', 'loading', 'done')),
    stage  INTEGER NOT NULL,
    first  INTEGER NOT NULL,             -- rows.id, inclusive, of the rows that follow the chunk
    last   INTEGER NOT NULL,
    worker INTEGER,
    until  REAL,
    reason TEXT,
    cursor TEXT,
    PRIMARY KEY (job, chunk, n)
) WITHOUT ROWID;

CREATE TABLE suppressions (
    job    INTEGER NOT NULL,             -- 0: every job
    key    TEXT NOT NULL,
    reason TEXT NOT NULL,
    since  REAL NOT NULL,
    PRIMARY KEY (job, key)
) WITHOUT ROWID;

CREATE TABLE rises (                     -- deliveries over time: see rises.py
    job    INTEGER NOT NULL,
    minute INTEGER NOT NULL,             -- since 1970; -1: it is not known when
    before INTEGER NOT NULL,             -- the rows' DeliveryStatus, as the next
    after  INTEGER NOT NULL,
    rows   INTEGER NOT NULL,
    PRIMARY KEY (job, minute, before, after)
) WITHOUT ROWID;

CREATE TABLE left_out (                  -- rows that no chunk has, counted once they are planned
    job    INTEGER NOT NULL,
    state  TEXT NOT NULL,                -- as the rows have it
    rows   INTEGER NOT NULL,
    PRIMARY KEY (job, state)
) WITHOUT ROWID;

CREATE TABLE elsewhere (                 -- duplicates that are left to other jobs, counted
    job    INTEGER NOT NULL,
    reason TEXT NOT NULL,                -- as the rows have it: it names the other job
    rows   INTEGER NOT NULL,
    PRIMARY KEY (job, reason)
) WITHOUT ROWID;

CREATE TABLE heard (                     -- the events of webhooks, so that a repeat is known
    mark BLOB PRIMARY KEY,               -- when it happened, and a digest: see events.py
    at   REAL NOT NULL                   -- when it came
) WITHOUT ROWID;

CREATE TABLE parked (                    -- events about messages that may yet turn out to be ours
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    provider  TEXT NOT NULL,
    reference TEXT NOT NULL,
    key       TEXT NOT NULL,             -- of the address
    delivery  INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    happened  REAL,                      -- when, by the provider's word
    at        REAL NOT NULL,             -- when it came
    UNIQUE (provider, reference, key)
);

CREATE TABLE addressees (                -- of chunks of which events speak by reference and address
    job   INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    key   TEXT NOT NULL,
    row   INTEGER NOT NULL,
    PRIMARY KEY (job, chunk, key)
) WITHOUT ROWID;

CREATE TABLE handler_calls (             -- calls of a webhook's handlers that are still to be made
    id       INTEGER PRIMARY KEY AUTOINCREMENT,  -- never a second time: a late word is about it
    handler  TEXT NOT NULL,
    provider TEXT NOT NULL,
    event    TEXT NOT NULL,              -- JSON: as the provider said it
    tries    INTEGER NOT NULL DEFAULT 0,
    due      REAL NOT NULL,              -- while it is tried: when it counts as failed
    error    TEXT
);
CREATE INDEX handler_calls_by_due ON handler_calls (due);

CREATE TABLE accounts (                  -- whose permits these are, and the clock they count by
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL,
    account  TEXT NOT NULL,
    boot     TEXT NOT NULL,              -- of the machine; its clock began with it
    base     REAL NOT NULL,              -- the ledger's time at that moment, in seconds
    mark     REAL NOT NULL,              -- the latest time that anybody has seen; never goes back
    wall     REAL NOT NULL,              -- seconds since 1970, at the mark
    granted  INTEGER NOT NULL,           -- the number of the last grant
    UNIQUE (provider, account)
);

CREATE TABLE quotas (
    account INTEGER NOT NULL,
    name    TEXT NOT NULL,
    per     REAL NOT NULL,               -- seconds: the longest window it was ever counted in
    blocked REAL NOT NULL DEFAULT 0,     -- no permits before; the service has said so
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE TABLE permits (
    account INTEGER NOT NULL,
    id      INTEGER NOT NULL,            -- of the grant, which may be of several quotas; below 0:
                                         -- many that have ended, counted together
    quota   TEXT NOT NULL,
    amount  INTEGER NOT NULL,
    at      REAL NOT NULL,               -- its request has ended by then: it counts from here
    PRIMARY KEY (account, id, quota)
) WITHOUT ROWID;
CREATE INDEX permits_by_time ON permits (account, quota, at, amount);

CREATE TABLE waiters (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,  -- the place in line
    account INTEGER NOT NULL,
    key     TEXT NOT NULL,               -- who waits
    needs   TEXT NOT NULL,               -- JSON: how many permits of each quota
    due     REAL NOT NULL,               -- who has not looked again by then loses the place
    job     INTEGER,                     -- whose next request this is
    until   REAL,                        -- when a permit is free, as far as is known
    why     TEXT,
    quota   TEXT,                        -- whose permit that is
    UNIQUE (account, key)
);
"""

STATEMENTS = [statement.strip() for statement in _TABLES.split(";\n") if statement.strip()]
