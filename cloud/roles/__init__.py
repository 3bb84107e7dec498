"""Roles in processes of their own: what crosses the borders, and who starts and ends them.

The process that an operator starts has the live view, answers, and starts the others. It takes
blocks in and writes the journal too, or where `roles.ingest` says so a process of its own does:
`ingest` is its program, `ingest_keeper` the parent's side, `ingest_wire` what both say, and
`ingest_placement` makes both forms look alike.

It is the `consolidation` role's parent where `roles.consolidation` says so (`placement`). `wire` is
what both say, on one socket that dies with either; `keeper` is the parent's side, where `desk` does
what the child asks for, `consolidator` the child's program.

Where `roles.readers` says so, what questions about history read of the tables is read by `reader`s,
a few processes of one program: `reader_query` asks them, `readers` says which, `reader_child` is
one as its parent sees it, `reader_wire` what both say, and `reader_placement` how many there are.

Where blocks are taken in apart they are decoded for the live view apart too: `decoder` is that
program, `decoder_keeper` its parent's side, `decoder_wire` what both say, and `decoder_placement`
says where.

`child` starts a process of any role; `parent` ends a reader or the decoder with its parent.
"""
