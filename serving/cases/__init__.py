"""The closed loop: a case from its opening to its end, its clock, its attempts, its owner."""
