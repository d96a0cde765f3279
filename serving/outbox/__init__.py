"""What leaves the house: events written in the transaction that caused them, delivered until they arrive."""
