"""`gennx.trainer.evaluation`: what a model does with dialogues, judged turn by turn.

items -> predictions -> judging -> figures. Scoring needs no torch; generating needs no catalogue. Everything heavy is
imported where it is first needed.
"""
