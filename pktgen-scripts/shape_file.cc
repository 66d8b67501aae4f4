// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/shape_file.h"

namespace sluice::pktgen {

using mgmt::daemon::BootstrapError;

Status read_shape_file(const std::string& name, const std::function<void(libconfig::Config&)>& load,
                       const std::function<void(mgmt::daemon::SettingGroup&)>& read) {
  libconfig::Config file;
  file.setAutoConvert(false);
  std::vector<BootstrapError> errors;
  try {
    load(file);
    mgmt::daemon::SettingErrors collected(name);
    mgmt::daemon::SettingGroup root(file.getRoot(), "", collected);
    read(root);
    root.finish();
    errors = collected.take();
  } catch (const libconfig::ParseException& e) {
    errors.push_back({name, static_cast<unsigned>(e.getLine()), "", e.getError()});
  } catch (const libconfig::FileIOException&) {
    errors.push_back({name, 0, "", "cannot be read"});
  }
  if (errors.empty()) return Ok{};
  std::string all;
  for (const BootstrapError& e : errors) all += (all.empty() ? "" : "\n") + e.to_string();
  return Error{all};
}

}  // namespace sluice::pktgen
