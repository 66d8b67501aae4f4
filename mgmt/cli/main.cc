// SPDX-License-Identifier: Apache-2.0
#include <curl/curl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "mgmt/cli/commands.h"
#include "mgmt/daemon/version.h"

namespace {

using namespace sluice::mgmt::cli;

struct Options {
  Target target;
  std::string token, token_file, data_folder = "/var/lib/sluice", format = "table";
  std::string kind, id, file;
  std::vector<std::string> filters;
  Explain explain;
  std::uint64_t revision = 0;
  bool dry_run = false, replace = false;

  Output output() const { return format == "json" ? Output::kJson : Output::kTable; }
};

bool readable(const std::string& path) { return ::access(path.c_str(), R_OK) == 0; }

/// The last word of the first line that is no comment: admin.token holds the token alone, a token file its
/// name and role.
std::string token_of(const std::string& path) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string word, last;
    while (words >> word) last = word;
    if (!last.empty()) return last;
  }
  return {};
}

/// Fills in what the command line and the environment leave open. False: the reason was printed.
bool complete(Options& o) {
  while (!o.target.server.empty() && o.target.server.back() == '/') o.target.server.pop_back();
  if (o.target.server.find("://") == std::string::npos) o.target.server = "https://" + o.target.server;
  const std::string default_file = o.data_folder + "/admin.token", default_ca = o.data_folder + "/api.crt";
  if (o.token_file.empty() && o.token.empty() && readable(default_file)) o.token_file = default_file;
  o.target.token = !o.token.empty() ? o.token : o.token_file.empty() ? "" : token_of(o.token_file);
  if (o.target.token.empty()) {
    fmt::print(stderr, "no token: give --token-file or --token, or set SLUICE_TOKEN_FILE or SLUICE_TOKEN{}\n",
               o.token_file.empty() ? "" : "; " + o.token_file + " holds none or cannot be read");
    return false;
  }
  if (o.target.ca_file.empty() && readable(default_ca)) o.target.ca_file = default_ca;
  return true;
}

void add_global(CLI::App& cli, Options& o) {
  cli.add_option("-s,--server", o.target.server, "The appliance's API")
      ->envname("SLUICE_SERVER")
      ->capture_default_str();
  cli.add_option("--token", o.token, "Bearer token; better from a file, as others can read a command line")
      ->envname("SLUICE_TOKEN");
  cli.add_option("--token-file", o.token_file,
                 "File with the token (default: admin.token of the data folder)")
      ->envname("SLUICE_TOKEN_FILE");
  cli.add_option("--cacert", o.target.ca_file,
                 "PEM file to verify the server by (default: api.crt of the data folder)")
      ->envname("SLUICE_CACERT");
  cli.add_flag("-k,--insecure", o.target.insecure, "Do not verify the server's certificate");
  cli.add_flag("--override-manager", o.target.override_manager,
               "Change also what a program looks after (managed_by); it may undo the change");
  cli.add_option("--data-folder", o.data_folder, "Where a local sluiced keeps its token and certificate")
      ->envname("SLUICE_DATA_FOLDER")
      ->capture_default_str();
  cli.add_option("--timeout", o.target.timeout_s, "Seconds for one request")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  cli.add_option("-o,--output", o.format, "How to print")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
}

void add_commands(CLI::App& cli, Options& o) {
  const std::string kinds = fmt::format("{}", fmt::join(kind_paths(), ", "));
  auto* get = cli.add_subcommand("get", "Shows resources: all of a kind, or one");
  get->add_option("KIND", o.kind, "config, " + kinds)->required();
  get->add_option("ID", o.id, "One of them");
  get->add_option("-f,--filter", o.filters, "NAME=VALUE, such as listener=web; may be given several times")
      ->take_all();

  auto* apply =
      cli.add_subcommand("apply", "Adds or replaces the objects of a JSON document, all or none of them");
  apply
      ->add_option("-f,--file", o.file,
                   "The document: {\"rules\": [...], \"listeners\": [...], ...}; - for the standard input")
      ->required();
  apply->add_flag("--dry-run", o.dry_run, "Only says whether it is valid and what would change");
  apply->add_flag("--replace", o.replace,
                  "The document is the whole desired state: what is not in it is deleted");

  auto* remove = cli.add_subcommand("delete", "Deletes a resource that nothing refers to");
  remove->add_option("KIND", o.kind, kinds)->required();
  remove->add_option("ID", o.id, "Which")->required();

  auto* explain = cli.add_subcommand("explain", "What would happen to a request, and which rule decides");
  explain->add_option("URL", o.explain.url, "https://shop.example/cart?x=1")->required();
  explain->add_option("--vip", o.explain.vip,
                      "Where it is sent: address, or address and port (default: the URL's own, or any with a "
                      "listener on its port)");
  explain->add_option("-X,--method", o.explain.method, "Default: GET");
  explain->add_option("--host", o.explain.host, "Instead of the URL's");
  explain->add_option("-H,--header", o.explain.headers, "\"Name: value\"; may be given several times")
      ->take_all();
  explain->add_option("--source", o.explain.source, "The client's address");

  cli.add_subcommand("status", "One screen: revision, workers, ports, connections, groups and their health");
  cli.add_subcommand("revisions", "The stored states of the configuration, newest first");
  auto* rollback = cli.add_subcommand("rollback", "Makes a stored state the running one again");
  rollback->add_option("REVISION", o.revision, "Its number")->required();
  rollback->add_flag("--dry-run", o.dry_run, "Only says what would change");
  cli.add_subcommand("events", "What happened last: members up and down, changes");
}

int dispatch(const CLI::App& cli, const Options& o) {
  if (cli.got_subcommand("get")) return get(o.target, o.kind, o.id, o.filters, o.output());
  if (cli.got_subcommand("apply")) return apply(o.target, o.file, o.dry_run, o.replace);
  if (cli.got_subcommand("delete")) return remove(o.target, o.kind, o.id);
  if (cli.got_subcommand("explain")) return explain(o.target, o.explain, o.output());
  if (cli.got_subcommand("status")) return status(o.target, o.output());
  if (cli.got_subcommand("revisions")) return revisions(o.target, o.output());
  if (cli.got_subcommand("rollback")) return rollback(o.target, o.revision, o.dry_run);
  return events(o.target, o.output());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli("sluicectl: asks and changes a Sluice appliance over its REST API");
  Options options;
  cli.fallthrough();  // options may stand behind the subcommand, too; inherited by those added from here on
  cli.option_defaults()->take_last();  // an alias may set what the user sets again
  add_global(cli, options);
  add_commands(cli, options);
  cli.require_subcommand(1);
  cli.set_version_flag("--version", std::string("sluicectl ") + sluice::mgmt::daemon::kVersion);
  cli.footer(
      "Exit status: 0 done; 1 the appliance refused; 2 wrong arguments or file; 3 the appliance cannot be "
      "reached.");
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return cli.exit(e) == 0 ? kOk : kUsage;
  }
  if (!complete(options)) return kUsage;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const int status = dispatch(cli, options);
  curl_global_cleanup();
  return status;
}
