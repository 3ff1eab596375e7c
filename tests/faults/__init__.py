"""Faults on order, and what mailkit makes of them.

- calls: the calls that mail somebody, of all three services, and some that only ask
- table: the faults, a row each, with what is to come of them
- decisions: what any call makes of the end of an attempt, without sending anything
- troubles, answers, servers: how a fault is made
- world: real clients, real sockets, the sandbox, and a gate in between
- runs: a bulk send in such a world
- gateways: what gateways say in a service's place, and one in front of a service
- bending, oracle: answers that are bent, and what they may be taken for

test_matrix: each fault on the way of each kind of request, and each fault × each call × what came
before, without sockets. test_bulk_matrix: each way in which faults end, on a job's requests.
campaign_matrix: each of them on each kind of request of a job over SendPulse; test_campaign_matrix
plays some. test_uploads: on the upload of a job's attachment. test_token: on the way of a token.
test_edges: what the table has no room for. test_gateways: every dialect with every status.
test_fuzz_answers: the short form of ``python -m tests.faults.fuzz_answers``.
test_journal_faults, disk: a disk that fails.
test_commands: the command line in processes of its own.
"""
