"""An emulated GEN NX: its tables, documents, operations and results, in process or over HTTP."""
