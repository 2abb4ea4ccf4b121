/* Protobuf's text format, turned into the wire format by a schema. Room: base.
 *
 * So a reader of the wire format reads both. The schema names the fields that the reader wants;
 * others are parsed and left out. What comes out is at most some six times as long as the text.
 */
#ifndef HONE_BASE_PROTOBUF_TEXT_H
#define HONE_BASE_PROTOBUF_TEXT_H

#include <hone/types.h>

#include "base/text.h"

/* Messages inside messages, as deep as protobuf's own readers go. */
#define HONE_PROTO_TEXT_DEPTH 100

typedef enum hone_proto_type {
  HONE_PROTO_END = 0, /* of a schema's fields */
  HONE_PROTO_INT,     /* any varint but bool and enum */
  HONE_PROTO_FLAG,
  HONE_PROTO_ENUM,
  HONE_PROTO_F32,
  HONE_PROTO_F64,
  HONE_PROTO_TEXT, /* string and bytes */
  HONE_PROTO_MESSAGE
} hone_proto_type;

typedef struct hone_proto_name {
  const char *name; /* NULL ends a list */
  int number;
} hone_proto_name;

typedef struct hone_proto_field {
  const char *name;
  unsigned number;
  hone_proto_type type;
  const struct hone_proto_field *message; /* MESSAGE: its fields */
  const hone_proto_name *names;           /* ENUM */
} hone_proto_field;

/* Whether `text` begins as a message of this schema does: with one of its fields. */
bool hone_proto_is_text(hone_bytes text, const hone_proto_field *schema);

/* Adds `text`, a message whose fields are `schema`, to `out`; INVALID_MODEL with the line where it
 * is broken. */
HONE_MUST_USE hone_status *hone_proto_from_text(hone_bytes text, const hone_proto_field *schema,
                                                hone_text *out);

#endif
