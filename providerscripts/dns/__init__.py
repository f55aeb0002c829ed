"""DNS as a Balancer: one address record for each admitted webserver, at one exact name of a zone.

A vendor's module is a Zone (records.py): it reads the records at two names, adds one, removes one. All the rest,
whose address it is, the order of writes, what is read back, that the last one stays, is balancer.py, once for all:

    class VendorZone:                      # read, add, remove: see records.Zone
        ...
    def build(options, site):              # the Catalogue's word
        return open_balancer("vendor", options, site, VendorZone, ttls=Ttls(least=60), ...)

Route 53 compares before it swaps, and changes addresses and claims at once: route53.py is a Balancer of its own,
without a Zone and without marks. claims.py has the text of the TXT records, which is the same for all, settings.py
the names (`www`, `@` or the full name).

Why names stand in TXT records, and what two nodes at once can and cannot do to each other:
docs/decisions/0019-names-in-dns.md.
"""
