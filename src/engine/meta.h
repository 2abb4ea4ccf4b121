/* What an engine file says of itself: section meta. Room: engine. */
#ifndef HONE_ENGINE_META_H
#define HONE_ENGINE_META_H

#include "base/text.h"
#include "engine/engine.h"

typedef struct hone_target {
  char isa[64], processor[64], precision[16], portable[16];
  int threads;
  unsigned packing;
  char device[8]; /* "cpu", "cuda"; or "auto": cuda where it is, else the CPU */
  bool used_device; /* its kernels are a device's */
  unsigned device_packing; /* of that device's backend */
} hone_target;

HONE_MUST_USE hone_status *hone_meta_write(const hone_engine *engine, hone_text *out);
/* `engine`, which may be NULL, gets what it keeps of it. */
HONE_MUST_USE hone_status *hone_meta_read(hone_bytes meta, hone_target *out, hone_engine *engine);
/* Whether nothing can be packed again from it, and the refusal, with why that would have to be. */
bool hone_target_is_bare(const hone_target *target);
#define HONE_TARGET_BARE                                                                           \
  "%s; it was built with portable=none, which leaves out what it would be packed again from: "     \
  "build it here from the model"
/* Why the packs, or `code`, the section, do not serve here; NULL when they do. */
const char *hone_target_unfit(const hone_target *target, hone_bytes code, char *buffer, size_t room);

#endif
