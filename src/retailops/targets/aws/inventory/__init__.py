"""Floor 4, aws: the inventory, an independent look at what of this project stands in the account, with its price.

audit.py    four sources of candidates, each confirmed by its own service
account.py  clients, and the rules that say whose a thing is
kind.py     what a kind declares; kinds.py all of them, declared in network, compute, learning, storage, data, access
worth.py    dollars a month, and the command that removes it
"""
