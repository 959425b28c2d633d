// POST requests, many at once over one libcurl multi handle, to addresses that may be reached.
#pragma once

#include <deque>
#include <memory>

#include "core/uuid.hpp"
#include "pg/boundary.hpp"

namespace vigil::pg {

struct HttpRequest {
  Uuid id;
  std::string url;
  std::string headers;  // one per line
  std::string body;
  int timeout_ms;
};

struct HttpResponse {
  Uuid id;
  int status = 0;  // 0: no answer
  int duration_ms = 0;
  std::string retry_after;  // the header as received
  std::string error;        // empty after a 2xx; may hold up to 1 KB of the answer
  bool permanent = false;   // repeating it cannot help: a URL or address that is refused
};

// Scheme, host and port of a URL: what may be slow or down as a whole.
std::string_view origin_of(std::string_view url) noexcept;

// Requests under way. Belongs to one backend; the requests end with the object. At most
// settings::http_connections are in flight, half of them to one origin so that a slow one leaves
// room; the others wait for their turn.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void add(HttpRequest request);

  // Drives the requests until some end and those that end within a moment after them, or for
  // `wait_ms` (negative: as long as it takes), and returns the ended ones. A cancel request is
  // honoured within 100 ms, as PgError.
  std::vector<HttpResponse> finish(int wait_ms);

  std::size_t pending() const noexcept;
  bool holds(const Uuid& id) const noexcept;
  std::vector<Uuid> ids() const;

  // Origins with at least `limit` requests under way.
  std::vector<std::string> busy_origins(std::size_t limit) const;

 private:
  struct Transfer;

  bool has_turn(const HttpRequest& request) const noexcept;
  bool fill();
  void perform();
  int patience(bool some_ended, int elapsed, int since_end, int wait_ms) const;
  void collect(std::vector<HttpResponse>& ended);

  void* multi_;
  std::deque<HttpRequest> waiting_;
  std::vector<std::unique_ptr<Transfer>> active_;
};

}  // namespace vigil::pg
