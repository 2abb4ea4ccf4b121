/* TensorBundle: an index, which is a table of LevelDB's kind, and shards of raw tensors.
 * Sources: LevelDB's doc/table_format.md, TensorFlow's tensor_bundle.proto. Room: import. */
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/text.h"
#include "import/tensorflow/importer.h"
#include "import/tensorflow/snappy.h"

#define MAGIC        0xdb4775248b80fb57u
#define FOOTER       48
#define TRAILER      5 /* behind each block: its packing, and its checksum */
#define SHARDS_MOST  4096

struct tf_bundle {
  const char *prefix;
  hone_bytes index;
  hone_map entries; /* key to hone_bytes: a BundleEntryProto */
  hone_file **shards; /* opened when first needed; kept by the graph */
  size_t shard_count;
};

static hone_status *damaged(const char *what) {
  return hone_error(HONE_INVALID_MODEL, "the variables' index is damaged: %s", what);
}

static uint64_t little(const unsigned char *at, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
  return value;
}

/* Checksums stand rotated and offset, so that one of a checksum does not come out the same. */
static uint32_t unmask(uint32_t masked) {
  uint32_t rotated = masked - 0xa282ead8u;
  return rotated >> 17 | rotated << 15;
}

/* ---- The table ---- */

static bool read_varint(const unsigned char **at, const unsigned char *end, uint64_t *out) {
  *out = 0;
  for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
    unsigned char byte = *(*at)++;
    *out |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

/* Unpacks a block where it is packed. */
static hone_status *unpack_block(tf_importer *importer, hone_bytes packed, hone_bytes *out) {
  size_t size;
  if (!tf_snappy_size(packed.data, packed.size, &size) || size > importer->reader.limit)
    return damaged("a packed block of no size");
  unsigned char *data = hone_arena_alloc(&importer->scratch, size + 1);
  HONE_TRY_MEMORY(data);
  if (!tf_snappy_unpack(packed.data, packed.size, data, size))
    return damaged("a packed block that does not unpack");
  *out = (hone_bytes){data, size};
  return NULL;
}

static hone_status *read_block(tf_importer *importer, const tf_bundle *bundle, uint64_t offset,
                               uint64_t size, hone_bytes *out) {
  const unsigned char *data = bundle->index.data;
  if (offset > bundle->index.size || size > bundle->index.size - offset ||
      bundle->index.size - offset - size < TRAILER)
    return damaged("a block outside the file");
  const unsigned char *block = data + offset, *trailer = block + size;
  if (hone_crc32c(block, size + 1) != unmask((uint32_t)little(trailer + 1, 4)))
    return damaged("a block's checksum differs");
  *out = (hone_bytes){block, size};
  if (*trailer == 0) return NULL;
  if (*trailer != 1) return damaged("a block is packed in a way that is not known here");
  return unpack_block(importer, *out, out);
}

/* Calls `take` on each entry of a block. Keys share a prefix with the one before. */
static hone_status *each_entry(tf_importer *importer, tf_bundle *bundle, hone_bytes block,
                               hone_status *(*take)(tf_importer *, tf_bundle *, hone_bytes key,
                                                    hone_bytes value)) {
  char key[4096];
  size_t key_size = 0;
  const unsigned char *at = block.data;
  if (block.size < 4) return damaged("a block without restarts");
  uint64_t restarts = little(at + block.size - 4, 4), shared, own, value;
  if (restarts > (block.size - 4) / 4) return damaged("a block's restarts pass its end");
  const unsigned char *end = at + block.size - 4 - 4 * restarts;
  while (at < end) {
    if (!read_varint(&at, end, &shared) || !read_varint(&at, end, &own) ||
        !read_varint(&at, end, &value) || shared > key_size || own > sizeof key - shared ||
        own > (uint64_t)(end - at) || value > (uint64_t)(end - at) - own)
      return damaged("an entry passes its block's end");
    if (own) memcpy(key + shared, at, own);
    key_size = shared + own;
    HONE_TRY(take(importer, bundle, (hone_bytes){key, key_size}, (hone_bytes){at + own, value}));
    at += own + value;
  }
  return NULL;
}

static hone_status *take_tensor(tf_importer *importer, tf_bundle *bundle, hone_bytes key,
                                hone_bytes value) {
  hone_bytes *kept = hone_arena_copy(&importer->scratch, &value, sizeof value);
  HONE_TRY_MEMORY(kept);
  return hone_map_put(&bundle->entries, key.size ? key.data : "", key.size, kept);
}

static hone_status *take_block(tf_importer *importer, tf_bundle *bundle, hone_bytes key,
                               hone_bytes value) {
  const unsigned char *at = value.data, *end = at + value.size;
  uint64_t offset, size;
  hone_bytes block;
  (void)key; /* no key of the block is past it */
  if (!read_varint(&at, end, &offset) || !read_varint(&at, end, &size))
    return damaged("a block without a place");
  HONE_TRY(read_block(importer, bundle, offset, size, &block));
  return each_entry(importer, bundle, block, take_tensor);
}

static hone_status *read_index(tf_importer *importer, tf_bundle *bundle) {
  const unsigned char *data = bundle->index.data;
  uint64_t offset, size;
  hone_bytes block;
  if (bundle->index.size < FOOTER) return damaged("it is too short");
  const unsigned char *at = data + bundle->index.size - FOOTER, *end = at + 40;
  if (little(end, 8) != MAGIC) return damaged("it ends as no table does");
  if (!read_varint(&at, end, &offset) || !read_varint(&at, end, &size) || /* of other blocks */
      !read_varint(&at, end, &offset) || !read_varint(&at, end, &size))
    return damaged("its index has no place");
  HONE_TRY(read_block(importer, bundle, offset, size, &block));
  return each_entry(importer, bundle, block, take_block);
}

/* ---- Opening ---- */

static void free_bundle(void *bundle) { hone_map_free(&((tf_bundle *)bundle)->entries); }

/* A file beneath the model's folder, kept by the graph. */
static hone_status *open_file(tf_importer *importer, const char *name, hone_file **out) {
  if (!importer->source->folder)
    return hone_error(HONE_INVALID_MODEL, "its variables lie in a folder, and there is none");
  HONE_TRY(hone_file_open_beneath(importer->source->folder, name, strlen(name), out));
  HONE_TRY(hone_graph_keep_file(importer->root, *out));
  size_t *limit = &importer->reader.limit, more;
  if (!hone_mul(hone_file_bytes(*out).size, 4, &more) || !hone_add(*limit, more, limit))
    *limit = SIZE_MAX;
  return NULL;
}

static hone_status *read_header(tf_importer *importer, tf_bundle *bundle) {
  const hone_bytes *header = hone_map_get(&bundle->entries, "", 0);
  uint64_t shards, endianness;
  if (!header) return damaged("its header is missing");
  HONE_TRY(tf_read_number(&importer->reader, *header, 1, &shards));
  HONE_TRY(tf_read_number(&importer->reader, *header, 2, &endianness));
  if (endianness != 0) return hone_error(HONE_UNSUPPORTED, "big-endian variables");
  if (shards > SHARDS_MOST) return damaged("it has too many shards");
  bundle->shard_count = (size_t)shards;
  bundle->shards = HONE_NEW_ARRAY(&importer->scratch, shards + 1, hone_file *);
  return bundle->shards ? NULL : hone_error_memory();
}

hone_status *tf_bundle_open(tf_importer *importer, const char *prefix, tf_bundle **out) {
  char name[300];
  hone_file *file;
  tf_bundle *bundle = HONE_NEW(importer->root->arena, tf_bundle);
  HONE_TRY_MEMORY(bundle);
  HONE_TRY(hone_graph_keep(importer->root, free_bundle, bundle));
  bundle->prefix = prefix;
  snprintf(name, sizeof name, "%s.index", prefix);
  HONE_TRY(open_file(importer, name, &file));
  bundle->index = hone_file_bytes(file);
  HONE_TRY(read_index(importer, bundle));
  HONE_TRY(read_header(importer, bundle));
  *out = bundle;
  return NULL;
}

/* ---- Tensors ---- */

static hone_status *shard_bytes(tf_importer *importer, tf_bundle *bundle, uint64_t shard,
                                hone_bytes *out) {
  char name[340];
  if (shard >= bundle->shard_count) return damaged("a tensor in a shard that is not there");
  if (!bundle->shards[shard]) {
    snprintf(name, sizeof name, "%s.data-%05u-of-%05u", bundle->prefix, (unsigned)shard,
             (unsigned)bundle->shard_count);
    HONE_TRY(open_file(importer, name, &bundle->shards[shard]));
  }
  *out = hone_file_bytes(bundle->shards[shard]);
  return NULL;
}

/* Strings lie as their lengths, a checksum of those, then their bytes; the entry's checksum covers
 * the lengths as numbers of four bytes, the checksum, and the bytes. */
static hone_status *read_strings(tf_importer *importer, tf_bundle_tensor *tensor) {
  size_t count;
  const unsigned char *at = tensor->bytes.data, *end = at + tensor->bytes.size;
  if (!hone_shape_count(&tensor->shape, &count) || count > tensor->bytes.size)
    return damaged("a tensor of more strings than bytes");
  hone_string *strings = HONE_NEW_ARRAY(importer->root->arena, count + 1, hone_string);
  HONE_TRY_MEMORY(strings);
  for (size_t i = 0; i < count; i++) {
    uint64_t size;
    if (!read_varint(&at, end, &size) || size > tensor->bytes.size)
      return damaged("a string's length");
    strings[i].size = (size_t)size;
  }
  if (end - at < 4) return damaged("strings without their checksum");
  at += 4;
  for (size_t i = 0; i < count; i++) {
    if (strings[i].size > (size_t)(end - at)) return damaged("a string passes its end");
    strings[i].data = (const char *)at;
    at += strings[i].size;
  }
  tensor->bytes = (hone_bytes){strings, count * sizeof *strings};
  return NULL;
}

bool tf_bundle_has(const tf_bundle *bundle, hone_bytes key) {
  return hone_map_get(&bundle->entries, key.data, key.size) != NULL;
}

hone_status *tf_bundle_find(tf_importer *importer, tf_bundle *bundle, hone_bytes key,
                            tf_bundle_tensor *out) {
  tf_bundle_entry entry;
  hone_bytes shard;
  size_t wanted;
  const hone_bytes *message = key.size ? hone_map_get(&bundle->entries, key.data, key.size) : NULL;
  if (!message) return hone_error(HONE_NOT_FOUND, "the variables' file does not hold it");
  HONE_TRY(tf_read_bundle_entry(&importer->reader, *message, &entry));
  if (entry.slices.count) return hone_error(HONE_UNSUPPORTED, "a variable saved in slices");
  out->dtype = hone_tf_dtype_of((int64_t)hone_proto_varint(entry.dtype));
  if (!out->dtype) return hone_error(HONE_UNSUPPORTED, "its element type is not known here");
  HONE_TRY(tf_read_shape(importer, entry.shape, &out->shape));
  uint64_t offset = hone_proto_varint(entry.offset), size = hone_proto_varint(entry.size);
  HONE_TRY(shard_bytes(importer, bundle, hone_proto_varint(entry.shard), &shard));
  if (offset > shard.size || size > shard.size - offset)
    return damaged("a tensor outside its shard");
  out->bytes = (hone_bytes){(const char *)shard.data + offset, (size_t)size};
  if (out->dtype == HONE_STR) return read_strings(importer, out);
  if (!hone_shape_bytes(&out->shape, out->dtype, &wanted) || wanted != size)
    return damaged("a tensor whose size is not its shape's");
  uint32_t crc;
  if (entry.crc.size != 4) return damaged("a tensor without a checksum");
  memcpy(&crc, entry.crc.data, 4);
  if (hone_crc32c(out->bytes.data, out->bytes.size) != unmask(crc))
    return hone_error(HONE_CORRUPT, "the checksum of its content differs");
  return NULL;
}
