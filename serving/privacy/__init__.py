"""What people may ask about their own data: to have it, to have it erased; and how long anything is kept at all."""
