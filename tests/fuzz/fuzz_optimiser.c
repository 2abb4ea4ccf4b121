/* Fuzz target: GraphDefs as TensorFlow hands them to the graph optimiser. */
#include "fuzz/optimiser_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!tf.TF_GetCode) host_open();
  host_optimise(data, size);
  return 0;
}
