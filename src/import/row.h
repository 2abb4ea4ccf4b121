/* What a straight row of an importer's table sets: its attributes as text. Room: import. */
#ifndef HONE_IMPORT_ROW_H
#define HONE_IMPORT_ROW_H

#include "import/emit.h"

/* One entry of a row's attrs: "to", "to<from" or "to=value". */
typedef struct hone_setting {
  char to[40], from[40], value[40]; /* from or value is empty */
} hone_setting;

/* Reads the entry at `at`; what is behind it, NULL at the end. */
const char *hone_row_next(const char *at, hone_setting *out);
/* The kind of the attribute that it sets; an op without it fails the call and gives NONE. */
hone_attr_kind hone_row_kind(hone_call *call, const hone_node *node, const hone_setting *setting);
/* Sets a "to=value" of an attribute of `kind`. */
void hone_row_set(hone_call *call, hone_node *node, const hone_setting *setting,
                  hone_attr_kind kind);

#endif
