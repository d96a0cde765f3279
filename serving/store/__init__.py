"""What is kept: tables, the transactions around them and the questions asked of them."""
