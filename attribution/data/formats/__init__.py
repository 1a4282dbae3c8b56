from attribution.data.formats.row_files import FORMATS, is_row_file, named_as_rows, open_files, open_rows

__all__ = ["FORMATS", "is_row_file", "named_as_rows", "open_files", "open_rows"]
