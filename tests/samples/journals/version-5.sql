BEGIN TRANSACTION;
CREATE TABLE accounts (                  -- whose permits these are, and the clock they count by
    id       INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    account  TEXT NOT NULL,
    boot     TEXT NOT NULL,              -- of the machine; its clock began with it
    base     REAL NOT NULL,              -- the ledger's time at that moment, in seconds
    mark     REAL NOT NULL,              -- the latest time that anybody has seen; never goes back
    wall     REAL NOT NULL,              -- seconds since 1970, at the mark
    granted  INTEGER NOT NULL,           -- the number of the last grant
    UNIQUE (provider, account)
);
CREATE TABLE addressees (                -- of chunks of which events speak by reference and address
    job   INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    key   TEXT NOT NULL,
    row   INTEGER NOT NULL,
    PRIMARY KEY (job, chunk, key)
) WITHOUT ROWID;
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
    reference  TEXT,                     -- the provider's name for it
    reason     TEXT,
    reconciled INTEGER NOT NULL,         -- every row was found, or the deadline passed
    unfinished INTEGER NOT NULL,         -- rows whose delivery is not final, once reconciled
    cursor     TEXT,                     -- the provider's mark for the next poll
    delivery   INTEGER NOT NULL DEFAULT 0,  -- of the rows that follow it and have none
    own_delivery_rows INTEGER NOT NULL DEFAULT 0,  -- that follow it and have their own delivery
    root       INTEGER,                  -- the refused chunk that it was cut from
    role       TEXT CHECK (role IN ('probe', 'trial', 'again')),  -- see narrowing.py
    stage      INTEGER NOT NULL DEFAULT 0,  -- the provider's stage that is next, or under way
    until      REAL,                     -- not to be taken before; the reason says why
    looks      INTEGER NOT NULL DEFAULT 0, statistics TEXT, anew INTEGER NOT NULL DEFAULT 0,  -- how often it was asked, in vain, what became of it
    PRIMARY KEY (job, n)
) WITHOUT ROWID;
INSERT INTO "chunks" VALUES(1,1,'accepted',4294967297,4294967298,2,1,1,2,1000000.0,1000001.0,'r1',NULL,1,1,NULL,40,1,NULL,NULL,0,NULL,0,NULL,0);
INSERT INTO "chunks" VALUES(1,2,'accepted',4294967299,4294967300,1,1,1,2,1000000.0,1000001.0,'r2',NULL,0,1,NULL,0,0,NULL,NULL,0,NULL,0,NULL,0);
INSERT INTO "chunks" VALUES(1,3,'rejected',4294967301,4294967302,2,1,1,2,1000000.0,1000001.0,NULL,'bad words',0,0,NULL,0,0,NULL,NULL,0,NULL,0,NULL,0);
INSERT INTO "chunks" VALUES(1,4,'in doubt',4294967303,4294967304,2,1,1,2,1000000.0,1000001.0,NULL,'reset',0,0,NULL,0,0,NULL,NULL,0,NULL,0,NULL,0);
INSERT INTO "chunks" VALUES(1,5,'sending',4294967305,4294967306,2,1,1,2,1000000.0,NULL,NULL,NULL,0,0,NULL,0,0,NULL,NULL,0,NULL,0,NULL,0);
INSERT INTO "chunks" VALUES(1,6,'planned',4294967307,4294967308,2,1,0,NULL,NULL,NULL,NULL,NULL,0,0,NULL,0,0,NULL,NULL,0,NULL,0,NULL,0);
INSERT INTO "chunks" VALUES(2,1,'planned',8589934593,8589934596,4,1,0,3,NULL,NULL,NULL,NULL,0,0,'list-1',0,0,NULL,NULL,1,NULL,0,NULL,0);
INSERT INTO "chunks" VALUES(2,2,'planned',8589934597,8589934600,4,1,0,3,NULL,NULL,NULL,NULL,0,0,'list-2',0,0,NULL,NULL,1,NULL,0,NULL,0);
CREATE TABLE elsewhere (                 -- duplicates that are left to other jobs, counted
    job    INTEGER NOT NULL,
    reason TEXT NOT NULL,                -- as the rows have it: it names the other job
    rows   INTEGER NOT NULL,
    PRIMARY KEY (job, reason)
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
CREATE TABLE heard (                     -- the events of webhooks, so that a repeat is known
    mark BLOB PRIMARY KEY,               -- when it happened, and a digest: see events.py
    at   REAL NOT NULL                   -- when it came
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
    stopped     TEXT                     -- why the last engine stopped before the end
, rate TEXT, cancelled REAL, held TEXT, suppressed INTEGER NOT NULL DEFAULT 0);
INSERT INTO "jobs" VALUES(1,'autumn','smsby','shop','planned','{"sender":"Shop <news@shop.example>","subject":"Hi","html":"<p>Hi</p>"}','["name"]',X'63',X'66',13,1,0,1.0,NULL,NULL,NULL,NULL,0);
INSERT INTO "jobs" VALUES(2,'winter','lists','shop','planned','{"sender":"Shop <news@shop.example>","subject":"Hi","html":"<p>Hi</p>"}','["name"]',X'77',X'67',8,3,0,2.0,NULL,NULL,NULL,NULL,0);
INSERT INTO "jobs" VALUES(3,'cut off','smsby','shop','planning','{}','[]',NULL,NULL,0,4,0,1.0,NULL,NULL,NULL,NULL,0);
CREATE TABLE meta (
    key TEXT PRIMARY KEY,                -- id: as in its witness, commits: the durable ones so far,
                                         -- lost: the jobs that only the witness knows
    value
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('commits',17);
INSERT INTO "meta" VALUES('id','415a95c388768cefff5291eae2d08fd2');
INSERT INTO "meta" VALUES('suppressed',0);
CREATE TABLE parked (                    -- events about messages that may yet turn out to be ours
    id        INTEGER PRIMARY KEY,
    provider  TEXT NOT NULL,
    reference TEXT NOT NULL,
    key       TEXT NOT NULL,             -- of the address
    delivery  INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    happened  REAL,                      -- when, by the provider's word
    at        REAL NOT NULL,             -- when it came
    UNIQUE (provider, reference, key)
);
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
INSERT INTO "parts" VALUES(2,1,1,'done',1,8589934593,8589934594,3,NULL,NULL,'list-1');
INSERT INTO "parts" VALUES(2,1,2,'planned',1,8589934595,8589934596,3,1000060.0,'the list is locked','list-1');
INSERT INTO "parts" VALUES(2,2,1,'loading',1,8589934597,8589934598,3,NULL,NULL,'list-2');
INSERT INTO "parts" VALUES(2,2,2,'planned',1,8589934599,8589934600,NULL,NULL,NULL,'list-2');
CREATE TABLE permits (
    account INTEGER NOT NULL,
    id      INTEGER NOT NULL,            -- of the grant, which may be of several quotas; below 0:
                                         -- many that have ended, counted together
    quota   TEXT NOT NULL,
    amount  INTEGER NOT NULL,
    at      REAL NOT NULL,               -- its request has ended by then: it counts from here
    PRIMARY KEY (account, id, quota)
) WITHOUT ROWID;
CREATE TABLE quotas (
    account INTEGER NOT NULL,
    name    TEXT NOT NULL,
    per     REAL NOT NULL,               -- seconds: the longest window it was ever counted in
    blocked REAL NOT NULL DEFAULT 0,     -- no permits before; the service has said so
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
CREATE TABLE rises (                     -- deliveries over time: see rises.py
    job    INTEGER NOT NULL,
    minute INTEGER NOT NULL,             -- since 1970; -1: it is not known when
    before INTEGER NOT NULL,             -- the rows' DeliveryStatus, as the next
    after  INTEGER NOT NULL,
    rows   INTEGER NOT NULL,
    PRIMARY KEY (job, minute, before, after)
) WITHOUT ROWID;
INSERT INTO "rises" VALUES(1,-1,0,10,1);
INSERT INTO "rises" VALUES(1,-1,0,40,1);
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
INSERT INTO "rows" VALUES(4294967297,2,'p1@example.com',NULL,'["1"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(4294967298,3,'p2@example.com',NULL,'["2"]',10,NULL,NULL,NULL,10);
INSERT INTO "rows" VALUES(4294967299,4,'p3@example.com',NULL,'["3"]',10,'rejected','no such mailbox',2,NULL);
INSERT INTO "rows" VALUES(4294967300,5,'p4@example.com',NULL,'["4"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(4294967301,6,'p5@example.com',NULL,'["5"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(4294967302,7,'p6@example.com',NULL,'["6"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(4294967303,8,'p7@example.com',NULL,'["7"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(4294967304,9,'p8@example.com',NULL,'["8"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(4294967305,10,'p9@example.com',NULL,'["9"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(4294967306,11,'p10@example.com',NULL,'["10"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(4294967307,12,'p11@example.com',NULL,'["11"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(4294967308,13,'p12@example.com',NULL,'["12"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(4294967309,14,'nobody',NULL,NULL,NULL,'invalid','no @',NULL,NULL);
INSERT INTO "rows" VALUES(8589934593,2,'q1@example.com',NULL,'["1"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(8589934594,3,'q2@example.com',NULL,'["2"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(8589934595,4,'q3@example.com',NULL,'["3"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(8589934596,5,'q4@example.com',NULL,'["4"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(8589934597,6,'q5@example.com',NULL,'["5"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(8589934598,7,'q6@example.com',NULL,'["6"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(8589934599,8,'q7@example.com',NULL,'["7"]',10,NULL,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(8589934600,9,'q8@example.com',NULL,'["8"]',10,NULL,NULL,NULL,NULL);
CREATE TABLE suppressions (
    job    INTEGER NOT NULL,             -- 0: every job
    key    TEXT NOT NULL,
    reason TEXT NOT NULL,
    since  REAL NOT NULL,
    PRIMARY KEY (job, key)
) WITHOUT ROWID;
INSERT INTO "suppressions" VALUES(0,'gone@example.com','asked us to',5.0);
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
CREATE TABLE workers (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,  -- never a second time: locks bear it
    job   INTEGER NOT NULL,
    process INTEGER NOT NULL,            -- its number in the system, for whoever looks
    sends INTEGER NOT NULL,              -- 0: it only asks what became of what was sent
    ended INTEGER NOT NULL DEFAULT 0     -- it left, or was found dead: it never takes again
, until REAL, why TEXT);
INSERT INTO "workers" VALUES(1,1,13673,1,1,NULL,NULL);
INSERT INTO "workers" VALUES(2,1,13673,1,0,NULL,NULL);
INSERT INTO "workers" VALUES(3,2,13673,1,0,NULL,NULL);
INSERT INTO "workers" VALUES(4,3,13673,1,0,NULL,NULL);
CREATE INDEX jobs_by_fingerprint ON jobs (fingerprint);
CREATE INDEX jobs_by_content ON jobs (content);
CREATE INDEX workers_at_work ON workers (job) WHERE ended = 0;
CREATE INDEX rows_by_state ON rows (state, id) WHERE state IS NOT NULL;
CREATE INDEX rows_moved ON rows (chunk, id) WHERE chunk IS NOT NULL;
CREATE INDEX chunks_by_state ON chunks (job, state, n);
CREATE INDEX chunks_by_first ON chunks (job, first);
CREATE INDEX chunks_by_reference ON chunks (reference) WHERE reference IS NOT NULL;
CREATE INDEX chunks_by_root ON chunks (job, root) WHERE root IS NOT NULL;
CREATE INDEX chunks_by_role ON chunks (job, role) WHERE role IS NOT NULL;
CREATE INDEX handler_calls_by_due ON handler_calls (due);
CREATE INDEX permits_by_time ON permits (account, quota, at, amount);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('jobs',3);
INSERT INTO "sqlite_sequence" VALUES('workers',4);
COMMIT;
PRAGMA user_version = 5;
