/* Writing protobuf's wire format at the end of a growing text. Room: base. */
#ifndef HONE_BASE_PROTOBUF_WRITE_H
#define HONE_BASE_PROTOBUF_WRITE_H

#include "base/protobuf.h"
#include "base/text.h"

void hone_proto_put_varint(hone_text *out, uint64_t value);
void hone_proto_put_tag(hone_text *out, uint32_t number, hone_proto_kind kind);
/* A field: a number as a varint; bytes, text or a message that is there already. */
void hone_proto_put_number(hone_text *out, uint32_t number, uint64_t value);
void hone_proto_put_bytes(hone_text *out, uint32_t number, hone_bytes bytes);
void hone_proto_put_text(hone_text *out, uint32_t number, const char *text);

/* A message, or bytes, as a field, written in place: begin it, write, and end it with what begin
 * gave. One of 32 GB and more counts as memory that ran out. */
size_t hone_proto_begin(hone_text *out, uint32_t number);
void hone_proto_end(hone_text *out, size_t begin);

#endif
