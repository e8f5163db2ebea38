"""Tests against a real server process. `test_contract_N_*` goes through PROTOCOL.md, section N, row by
row.
"""
