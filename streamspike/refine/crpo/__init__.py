"""CRPO: what a mirrored or reversed video shows, and a model that is rewarded for telling the difference."""
