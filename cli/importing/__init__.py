"""Files of referrals, read piece by piece and sent through the door that fits, each exactly once."""
