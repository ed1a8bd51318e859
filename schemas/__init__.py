"""The vocabulary: fields, headers, profiles, codes, reports, settings. No input or output."""
