"""A scripted day of a customer care department: two survey tools send, people call, time passes, and it adds up.

Everything is real but the clock, the customers and the staff: the app answers over HTTP, survey tools sign what they
send, alerts reach an HTTP receiver and a mail server on this machine. `play` tells the day and returns what it came to
beside what it must have come to by a count that knows nothing of the product.
"""
