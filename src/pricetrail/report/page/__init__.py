"""The report page: facts of a run to one HTML file that needs nothing else. Pure: texts in, text out."""
