"""The Store's adapters: memory, a directory (file://) and any S3-alike (s3://), one contract for all.

`url.open_store` makes one from a URL; `probe` finds out whether an endpoint honours conditional writes and
`verdict` keeps what it found on this machine; `journal` writes the Journal into a Store.
"""
