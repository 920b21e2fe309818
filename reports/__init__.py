"""HTML reports that open offline: what a data set covers, how a model did."""
