/* Model files into graphs. One folder and one row in import.c a format. Room: import. */
#ifndef HONE_IMPORT_IMPORT_H
#define HONE_IMPORT_IMPORT_H

#include "ir/graph.h"

/* A model in memory, which must outlive the graph: constants point into it. */
typedef struct hone_model_source {
  hone_bytes bytes;
  const char *folder; /* where companion files lie; NULL: there are none */
} hone_model_source;

typedef struct hone_format {
  const char *name;
  bool (*sniff)(hone_bytes bytes); /* by content alone; reads little */
  hone_status *(*import)(const hone_model_source *source, hone_graph **out);
} hone_format;

/* Imports `bytes` as `format` ("" finds it by content). What comes out is verified. */
HONE_MUST_USE hone_status *hone_import(hone_bytes bytes, const char *folder, const char *format,
                                       hone_graph **out);

/* The formats, one import function each. */
HONE_MUST_USE hone_status *hone_import_onnx(const hone_model_source *source, hone_graph **out);
bool hone_sniff_onnx(hone_bytes bytes);

#endif
