/* Weights of native segments, apart from the graph: functions read their large constants from a file,
 * so that a process whose engines run never holds them. Room: import.
 *
 *   header   64 bytes: "HONEWTS\0", u32 version (1), u32 count, u64 size of the file, u64 sum, zeros
 *   table    96 bytes a weight: u32 DataType, u32 rank, 8 sizes (i64), u64 offset, u64 bytes, u64 sum
 *   weights  each at a multiple of 64 bytes
 *
 * Numbers are little-endian. The header's sum is XXH3 of the table, seeded with the file's size.
 */
#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "import/tensorflow/conversion.h"
#include "import/tensorflow/weights_file.h"

#define MAGIC       "HONEWTS"
#define VERSION     1
#define ALIGNMENT   64
#define LEAST_BYTES 4096 /* smaller constants stay in the functions */

typedef struct file_header {
  char magic[8];
  uint32_t version, count;
  uint64_t size, sum;
  uint8_t reserved[32];
} file_header;

typedef struct file_entry {
  uint32_t type, rank;
  int64_t dims[HONE_MAX_RANK];
  uint64_t offset, size, sum;
} file_entry;

_Static_assert(sizeof(file_header) == 64, "the header is 64 bytes");
_Static_assert(sizeof(file_entry) == 96, "a table entry is 96 bytes");

/* ---- Which ---- */

/* Types that the reading op gives: numbers of whole bytes, none quantised or complex. */
static bool is_plain(int64_t code) {
  static const unsigned char plain[] = {1, 2, 3, 4, 5, 6, 9, 10, 14, 17, 19, 22, 23};
  return code > 0 && code < 64 && memchr(plain, (int)code, sizeof plain);
}

static hone_status *read_dims(hone_conversion *c, hone_bytes message, hone_shape *out) {
  tf_shape_proto shape;
  *out = hone_shape_unknown();
  HONE_TRY(tf_read_shape_proto(&c->importer.reader, message, &shape));
  if (shape.dims.count > HONE_MAX_RANK || hone_proto_varint(shape.unknown_rank)) return NULL;
  hone_shape found = {.rank = (int)shape.dims.count};
  for (int i = 0; i < found.rank; i++) {
    uint64_t size;
    HONE_TRY(tf_read_number(&c->importer.reader, shape.dims.items[i], 1, &size));
    if (size > INT64_MAX) return NULL;
    found.dim[i] = (int64_t)size;
  }
  *out = found;
  return NULL;
}

/* A node's constant as the file has it, its bytes in place; *bytes is empty where it is none, or one
 * that stays in the functions. */
static hone_status *read_weight(hone_conversion *c, int index, file_entry *entry,
                                hone_bytes *bytes) {
  const tf_node *node = &c->body->nodes[index];
  tf_call call = {.importer = &c->importer, .scope = &c->scope, .node = node};
  tf_attr_value value;
  tf_tensor_proto tensor;
  hone_shape shape;
  size_t wanted;
  *bytes = (hone_bytes){0};
  if (!tf_span_is(node->op, "Const") || !tf_attr(&call, "value", &value) || !value.tensor.data)
    return call.base.status;
  HONE_TRY(tf_read_tensor_proto(&c->importer.reader, value.tensor, &tensor));
  int64_t code = (int64_t)hone_proto_varint(tensor.dtype);
  if (!is_plain(code)) return NULL;
  HONE_TRY(read_dims(c, tensor.shape, &shape));
  if (!hone_shape_bytes(&shape, hone_tf_dtype_of(code), &wanted)) return NULL;
  hone_bytes raw = tensor.content;
  if (!raw.size && code == 1 && tensor.floats.count == 1) raw = tensor.floats.items[0];
  if (raw.size != wanted || wanted < LEAST_BYTES) return NULL;
  *entry = (file_entry){.type = (uint32_t)code, .rank = (uint32_t)shape.rank, .size = wanted};
  for (int i = 0; i < shape.rank; i++) entry->dims[i] = shape.dim[i];
  *bytes = raw;
  return NULL;
}

/* Marks the weights of one segment's function. */
static hone_status *mark_weights(hone_conversion *c, tf_segment *segment) {
  bool *constants;
  segment->reads_weights = false;
  if (segment->left) return NULL;
  HONE_TRY(tf_mark_constants(c, segment, &constants));
  for (int i = 0; i < c->body->node_count; i++) {
    file_entry entry;
    hone_bytes bytes;
    if (!constants[i]) continue;
    HONE_TRY(read_weight(c, i, &entry, &bytes));
    if (!bytes.size) continue;
    c->weights[i] = (tf_weight){.place = 1, .type = (int)entry.type};
    segment->reads_weights = true;
  }
  return NULL;
}

hone_status *tf_find_weights(hone_conversion *c, const char *name) {
  int count = 0;
  c->weights = NULL;
  if (!name) return NULL;
  c->weights_name = hone_arena_text(&c->importer.scratch, name, strlen(name));
  c->weights = HONE_NEW_ARRAY(&c->importer.scratch, c->body->node_count + 1, tf_weight);
  if (!c->weights_name || !c->weights) return hone_error_memory();
  for (int i = 0; i < c->segment_count; i++) HONE_TRY(mark_weights(c, &c->segments[i]));
  for (int i = 0; i < c->body->node_count; i++)
    if (c->weights[i].place) c->weights[i].place = ++count;
  return NULL;
}

/* ---- Writing ---- */

/* The file's parts: header, table, and weights with zeros behind each. */
static hone_status *write_file(hone_conversion *c, size_t count, const char *path) {
  static const char zeros[ALIGNMENT];
  hone_arena *scratch = &c->importer.scratch;
  hone_bytes *parts = HONE_NEW_ARRAY(scratch, 2 * count + 3, hone_bytes);
  file_entry *entries = HONE_NEW_ARRAY(scratch, count + 1, file_entry);
  file_header header = {.magic = MAGIC, .version = VERSION, .count = (uint32_t)count};
  if (!parts || !entries) return hone_error_memory();
  size_t table = count * sizeof *entries, end = sizeof header + table, at = 0;
  parts[at++] = (hone_bytes){&header, sizeof header};
  parts[at++] = (hone_bytes){entries, table};
  parts[at++] = (hone_bytes){zeros, hone_align_up(end, ALIGNMENT) - end};
  end = hone_align_up(end, ALIGNMENT);
  for (int i = 0; i < c->body->node_count; i++) {
    if (!c->weights[i].place) continue;
    file_entry *entry = &entries[c->weights[i].place - 1];
    hone_bytes bytes;
    HONE_TRY(read_weight(c, i, entry, &bytes));
    entry->offset = end;
    entry->sum = XXH3_64bits(bytes.data, bytes.size);
    size_t padded = hone_align_up(bytes.size, ALIGNMENT);
    parts[at++] = bytes;
    parts[at++] = (hone_bytes){zeros, padded - bytes.size};
    end += padded;
  }
  header.size = end;
  header.sum = XXH3_64bits_withSeed(entries, table, end);
  return hone_file_write(path, parts, at);
}

hone_status *hone_conversion_save_weights(hone_conversion *c, const char *path) {
  size_t count = 0;
  for (int i = 0; c->weights && i < c->body->node_count; i++) count += c->weights[i].place != 0;
  if (!count)
    return hone_error(HONE_INVALID_ARGUMENT, "no function of the last result reads weights");
  return write_file(c, count, path);
}

/* ---- Reading ---- */

struct hone_weights {
  hone_file *file;
  const file_entry *entries;
  size_t count;
};

static hone_status *damaged(const char *what) {
  return hone_error(HONE_CORRUPT, "the file of weights is damaged: %s", what);
}

static hone_status *check_header(hone_bytes file) {
  const file_header *header = file.data;
  if (file.size < sizeof *header || memcmp(header->magic, MAGIC, sizeof header->magic) != 0)
    return hone_error(HONE_CORRUPT, "this is no file of weights");
  if (header->version != VERSION)
    return hone_error(HONE_MISMATCH, "a file of weights of version %u, not %d", header->version,
                      VERSION);
  if (header->size != file.size ||
      header->count > (file.size - sizeof *header) / sizeof(file_entry))
    return damaged("its size");
  size_t table = header->count * sizeof(file_entry);
  return XXH3_64bits_withSeed(header + 1, table, file.size) == header->sum ? NULL : damaged("table");
}

hone_status *tf_weights_of_file(hone_file *file, hone_weights **out) {
  hone_bytes bytes = hone_file_bytes(file);
  HONE_TRY(check_header(bytes));
  hone_weights *weights = hone_alloc_zero(sizeof *weights);
  HONE_TRY_MEMORY(weights);
  const file_header *header = bytes.data;
  weights->file = hone_file_retain(file);
  weights->entries = (const file_entry *)(header + 1);
  weights->count = header->count;
  *out = weights;
  return NULL;
}

hone_status *hone_weights_open(const char *path, hone_weights **out) {
  hone_file *file;
  HONE_TRY(hone_file_open(path, &file));
  hone_status *status = tf_weights_of_file(file, out);
  hone_file_release(file);
  return status;
}

void hone_weights_close(hone_weights *weights) {
  if (!weights) return;
  hone_file_release(weights->file);
  hone_free(weights);
}

hone_status *hone_weights_at(const hone_weights *weights, size_t index, hone_tensor *out) {
  hone_bytes file = hone_file_bytes(weights->file);
  if (index >= weights->count)
    return hone_error(HONE_MISMATCH, "the file has %zu weights, not one of number %zu",
                      weights->count, index);
  const file_entry *entry = &weights->entries[index];
  hone_dtype dtype = is_plain(entry->type) ? hone_tf_dtype_of(entry->type) : HONE_DTYPE_NONE;
  hone_shape shape = {.rank = (int)entry->rank};
  size_t wanted;
  if (!dtype || entry->rank > HONE_MAX_RANK || entry->offset % ALIGNMENT ||
      entry->offset > file.size || entry->size > file.size - entry->offset)
    return damaged("where a weight lies");
  for (int i = 0; i < shape.rank; i++) shape.dim[i] = entry->dims[i];
  if (!hone_shape_bytes(&shape, dtype, &wanted) || wanted != entry->size)
    return damaged("a weight's size");
  const char *data = (const char *)file.data + entry->offset;
  if (XXH3_64bits(data, wanted) != entry->sum) return damaged("a weight's content");
  *out = (hone_tensor){.struct_size = sizeof *out,
                       .dtype = dtype,
                       .rank = shape.rank,
                       .data = (void *)(uintptr_t)data,
                       .size = wanted};
  for (int i = 0; i < shape.rank; i++) out->dims[i] = shape.dim[i];
  return NULL;
}
