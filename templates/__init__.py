"""Phrasings: one folder an endpoint (`db/CONS/ko.txt`, `en.txt`, `words.json`), and `shared/` for all."""
