// The public headers in C++: they compile, link as C, and the library answers.
#include <hone/op.h>

#include <hone/hone.h>
#include <hone/network.h>
#include <hone/refit.h>

#include <cstdio>
#include <cstring>
#include <memory>

namespace {

struct Free {
  void operator()(hone_network *network) const { hone_network_free(network); }
  void operator()(hone_model *model) const { hone_model_free(model); }
  void operator()(hone_status *status) const { hone_status_free(status); }
};
using Status = std::unique_ptr<hone_status, Free>;

bool good(hone_status *raw) {
  Status status(raw);
  if (status) std::fprintf(stderr, "%s\n", hone_status_message(status.get()));
  return !status;
}

}  // namespace

int main() {
  hone_network *raw_network = nullptr;
  hone_model *raw_model = nullptr;
  hone_value *x = nullptr, *y = nullptr;
  if (!good(hone_network_new("cpp", &raw_network))) return 1;
  std::unique_ptr<hone_network, Free> network(raw_network);
  if (!good(hone_network_input(network.get(), "x", "f32[n]", &x)) ||
      !good(hone_network_unary(network.get(), "relu", "relu", x, nullptr, &y)) ||
      !good(hone_network_output(network.get(), y, "y")) ||
      !good(hone_network_finish(network.get(), &raw_model)))
    return 1;
  std::unique_ptr<hone_model, Free> model(raw_model);
  hone_op_definition definition = hone_op_definition();
  definition.struct_size = sizeof definition;
  Status refused(hone_op_define(&definition));
  return std::strlen(hone_version()) > 0 && hone_weight_count(model.get()) == 0 &&
                 hone_status_code(refused.get()) == HONE_INVALID_ARGUMENT
             ? 0
             : 1;
}
