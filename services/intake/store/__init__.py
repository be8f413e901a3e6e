"""MongoDB for intake: people as keyed hashes, referrals with identity sealed, rejections without any content."""
