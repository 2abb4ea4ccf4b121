/* The file of weights that native segments read, opened by others than their path. Room: import. */
#ifndef HONE_IMPORT_TENSORFLOW_WEIGHTS_FILE_H
#define HONE_IMPORT_TENSORFLOW_WEIGHTS_FILE_H

#include <hone/tensorflow.h>

#include "base/file.h"

/* Keeps a reference of its own to the file. */
HONE_MUST_USE hone_status *tf_weights_of_file(hone_file *file, hone_weights **out);

#endif
