/* What every kernel's text holds to, without compiling one. */
#include <stdio.h>
#include <string.h>

#include "../check.h"
#include "backend/cuda/stage.h"

/* It may be started before what others leave is there, and so waits for that. */
static void check_follows(const hone_cuda_kernel *kernel) {
  for (int f = 0; f < HONE_CUDA_FORMS && kernel->forms[f].text; f++) {
    bool follows = strstr(kernel->forms[f].text, "follow(") != NULL;
    if (!follows) fprintf(stderr, "kernel %s does not call follow()\n", kernel->name);
    CHECK(follows);
  }
}

TEST(every_kernel_follows) {
  size_t count;
  const hone_cuda_kernel *const *rows = hone_cuda_kernels(&count);
  for (size_t i = 0; i < count; i++) check_follows(rows[i]);
}

int main(void) {
  RUN(every_kernel_follows);
  return check_report();
}
