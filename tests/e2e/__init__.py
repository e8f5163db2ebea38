"""Tests against a real server process. `test_contract_N_*` goes through docs/protocol.md, section N, row by
row.
"""
