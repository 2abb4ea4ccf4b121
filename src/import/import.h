/* Model files into graphs. One folder and one row in import.c a format. Room: import. */
#ifndef HONE_IMPORT_IMPORT_H
#define HONE_IMPORT_IMPORT_H

#include "ir/graph.h"

/* A model in memory, which must outlive the graph: constants point into it. Texts may be NULL. */
typedef struct hone_model_source {
  hone_bytes bytes;
  const char *folder;    /* where companion files lie; NULL: there are none */
  const char *format;    /* NULL or "": found by content */
  const char *inputs;    /* what is fed: "node, name=node:1[1,?,224,3]"; dims replace the
                            model's */
  const char *outputs;   /* what is wanted: "node, name=node:1" */
  const char *signature; /* of a SavedModel */
  const char *tags;      /* of a SavedModel: "serve" or "serve,gpu" */
} hone_model_source;

/* Which of a source's texts a format looks at; the others are refused. */
enum {
  HONE_IMPORT_INPUTS = 1u << 0,
  HONE_IMPORT_OUTPUTS = 1u << 1,
  HONE_IMPORT_SIGNATURE = 1u << 2,
  HONE_IMPORT_TAGS = 1u << 3
};

typedef struct hone_format {
  const char *name;
  bool (*sniff)(hone_bytes bytes); /* by content alone; reads little */
  hone_status *(*import)(const hone_model_source *source, hone_graph **out);
  unsigned texts;          /* bits of HONE_IMPORT_… */
  const char *folder_files[2]; /* a model that is a folder: the files to begin with, the one that
                                  is there first; or NULL */
} hone_format;

/* Imports `source`. What comes out is verified. */
HONE_MUST_USE hone_status *hone_import(const hone_model_source *source, hone_graph **out);

/* The names of the files that make a folder a model, one after the other; NULL past the end. */
const char *hone_import_folder_file(size_t index);

/* The formats, one import function each. */
HONE_MUST_USE hone_status *hone_import_onnx(const hone_model_source *source, hone_graph **out);
bool hone_sniff_onnx(hone_bytes bytes);
HONE_MUST_USE hone_status *hone_import_graph_def(const hone_model_source *source, hone_graph **out);
bool hone_sniff_graph_def(hone_bytes bytes);
HONE_MUST_USE hone_status *hone_import_saved_model(const hone_model_source *source,
                                                   hone_graph **out);
bool hone_sniff_saved_model(hone_bytes bytes);

#endif
