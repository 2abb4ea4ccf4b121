/* String tensors as every TensorFlow lays them out. */
#include <stdlib.h>
#include <string.h>

#include "op.h"

/* Whether strings are a table of offsets, each to a length (varint) and text: before 2.3. */
static bool strings_are_packed(void) {
  const char *version = tf.TF_Version();
  return version[0] == '1' || (version[0] == '2' && version[2] < '3' && version[3] == '.');
}

static char *packed_text(const uint8_t *data, size_t size) {
  uint64_t offset = 0, length = 0;
  if (size < sizeof offset) return NULL;
  memcpy(&offset, data, sizeof offset);
  size -= sizeof offset;
  data += sizeof offset;
  if (offset >= size) return NULL;
  for (int shift = 0; offset < size && shift < 63; shift += 7) {
    uint8_t byte = data[offset++];
    length |= (uint64_t)(byte & 127) << shift;
    if (!(byte & 128)) break;
  }
  return length <= size - offset ? strndup((const char *)data + offset, length) : NULL;
}

char *hone_tensor_text(const TF_Tensor *tensor) {
  const tf_string *string = tf.TF_TensorData(tensor);
  if (string && strings_are_packed())
    return packed_text((const uint8_t *)string, tf.TF_TensorByteSize(tensor));
  if (!string || tf.TF_TensorByteSize(tensor) < sizeof *string) return NULL;
  int kind = string->small.size & 3;
  if (kind == 0) return strndup(string->small.text, string->small.size >> 2);
  if (kind == 1) return strndup(string->large.text, string->large.size >> 2);
  return NULL; /* kinds that only views of mapped tensors have */
}
