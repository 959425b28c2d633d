#include "pg/http.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <chrono>
#include <map>

#include "core/url_guard.hpp"
#include "core/utf8.hpp"
#include "pg/settings.hpp"

namespace vigil::pg {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLongestAnswer = 64 * 1024;
constexpr std::size_t kLongestExcerpt = 1024;
constexpr long kConnectTimeoutMs = 5000;
constexpr int kPollMs = 100;   // a cancel request waits no longer
constexpr int kGatherMs = 10;  // after the first answer, others are waited for this long at most,
constexpr int kQuietMs = 2;    // and only while they come in such short intervals

// The thread that resolves a name must not take the signals of the backend.
class SignalBlock {
 public:
  SignalBlock() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalBlock() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;

 private:
  sigset_t before_;
};

int elapsed_ms(Clock::time_point since) {
  return static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since).count());
}

// Once per backend; libcurl keeps no state that a fork inherits.
void initialise_curl() {
  static bool initialised = false;
  if (initialised) return;
  if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
    throw Error(Code::kInternal, "could not initialise libcurl");
  initialised = true;
}

// What a receiver answered, fit to be stored: one line of text in the server's encoding.
std::string clean(std::string_view answer) {
  std::pmr::string repaired;
  if (GetDatabaseEncoding() == PG_UTF8) {
    repair_utf8(answer, repaired);
  } else {
    repaired.assign(answer);
    for (char& byte : repaired)
      if (static_cast<unsigned char>(byte) > 0x7e) byte = '?';
  }
  for (char& byte : repaired)
    if (static_cast<unsigned char>(byte) < ' ') byte = ' ';
  const auto end = repaired.find_last_not_of(' ');
  return std::string(repaired.substr(0, end == std::string::npos ? 0 : end + 1));
}

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

}  // namespace

// One request in flight. Its callbacks run inside libcurl: they neither throw nor raise.
struct HttpClient::Transfer {
  explicit Transfer(HttpRequest given) : request(std::move(given)), allowed(read_allowed()) {
    excerpt.reserve(kLongestExcerpt);
    easy.reset(curl_easy_init());
    if (!easy) throw std::bad_alloc();
    set_headers();
    set_request();
    set_limits();
    set_guard();
  }

  // The setting was checked when it was set.
  static AddressList read_allowed() {
    std::string reason;
    return AddressList::parse(settings::http_allow, reason).value_or(AddressList());
  }

  template <typename Value>
  void set(CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(easy.get(), option, value);
    if (code == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
    if (code != CURLE_OK)
      throw Error(Code::kInternal, "libcurl does not know option " + std::to_string(option));
  }

  void add_header(const std::string& line) {
    curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    (void)headers.release();
    headers.reset(longer);
  }

  void set_headers() {
    add_header("Expect:");  // no extra round trip before a long body
    std::string_view rest = request.headers;
    while (!rest.empty()) {
      const auto end = std::min(rest.find('\n'), rest.size());
      if (end > 0) add_header(std::string(rest.substr(0, end)));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }

  void set_request() {
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_POSTFIELDS, request.body.data());
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_PRIVATE, static_cast<void*>(this));
    set(CURLOPT_ERRORBUFFER, message);
    set(CURLOPT_WRITEFUNCTION, &receive);
    set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  }

  void set_limits() {
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
    set(CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
    set(CURLOPT_NOSIGNAL, 1L);
    // Cleaning up does not wait for a resolver that hangs.
    set(CURLOPT_QUICK_EXIT, 1L);
  }

  void set_guard() {
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");  // the environment's proxy would be reached unchecked
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_OPENSOCKETFUNCTION, &open_socket);
    set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
    set(CURLOPT_PREREQFUNCTION, &before_request);
    set(CURLOPT_PREREQDATA, static_cast<void*>(this));
  }

  bool may_reach(const sockaddr* address) noexcept {
    if (is_public_address(address) || allowed.contains(address)) return true;
    const void* bytes = nullptr;
    if (address->sa_family == AF_INET)
      bytes = &reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
    else if (address->sa_family == AF_INET6)
      bytes = &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    if (bytes == nullptr || !inet_ntop(address->sa_family, bytes, refused, sizeof refused))
      std::strcpy(refused, "of an unknown kind");
    return false;
  }

  // Sees every address after its name was resolved, so a name cannot hide one.
  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address) noexcept {
    auto* transfer = static_cast<Transfer*>(self);
    if (!transfer->may_reach(&address->addr)) return CURL_SOCKET_BAD;
    transfer->tried = true;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }

  // Sees the address of a connection that is used again, too.
  static int before_request(void* self, char* remote, char*, int, int) noexcept {
    auto* transfer = static_cast<Transfer*>(self);
    sockaddr_storage storage = {};
    auto* four = reinterpret_cast<sockaddr_in*>(&storage);
    auto* six = reinterpret_cast<sockaddr_in6*>(&storage);
    if (char* zone = std::strchr(remote, '%')) *zone = '\0';
    if (inet_pton(AF_INET, remote, &four->sin_addr) == 1)
      storage.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, remote, &six->sin6_addr) == 1)
      storage.ss_family = AF_INET6;
    else
      return CURL_PREREQFUNC_ABORT;
    const bool reachable = transfer->may_reach(reinterpret_cast<sockaddr*>(&storage));
    return reachable ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
  }

  static std::size_t receive(char* bytes, std::size_t, std::size_t size, void* self) noexcept {
    auto* transfer = static_cast<Transfer*>(self);
    transfer->received += size;
    if (transfer->received > kLongestAnswer) return CURL_WRITEFUNC_ERROR;
    const std::size_t room = kLongestExcerpt - transfer->excerpt.size();
    transfer->excerpt.append(bytes, std::min(room, size));  // within what was reserved
    return size;
  }

  HttpResponse response(CURLcode code) {
    HttpResponse response;
    response.id = request.id;
    curl_off_t microseconds = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_TOTAL_TIME_T, &microseconds);
    response.duration_ms = static_cast<int>(microseconds / 1000);
    // A receiver that goes on talking after its status has answered all the same.
    if (code == CURLE_OK || received > kLongestAnswer)
      read_answer(response);
    else
      explain(response, code);
    return response;
  }

  void read_answer(HttpResponse& response) {
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    response.status = static_cast<int>(status);
    curl_header* header = nullptr;
    if (curl_easy_header(easy.get(), "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
      response.retry_after = clean(header->value);
    if (status >= 200 && status < 300) return;
    response.error = "HTTP status " + std::to_string(status);
    if (const std::string text = clean(excerpt); !text.empty()) response.error += ": " + text;
  }

  void explain(HttpResponse& response, CURLcode code) {
    if (refused[0] != '\0' && !tried) {
      response.error = "address " + std::string(refused) +
                       " is not public, and vigil.http_allow does not name it";
      response.permanent = true;
      return;
    }
    response.error = clean(message[0] != '\0' ? message : curl_easy_strerror(code));
    response.permanent = code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT;
  }

  HttpRequest request;
  AddressList allowed;
  std::unique_ptr<CURL, EasyDeleter> easy;
  std::unique_ptr<curl_slist, ListDeleter> headers;
  std::string excerpt;
  std::size_t received = 0;
  bool tried = false;                   // an address that may be reached was there
  char refused[INET6_ADDRSTRLEN] = {};  // the last one that may not
  char message[CURL_ERROR_SIZE] = {};
};

std::string_view origin_of(std::string_view url) noexcept {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return url;
  return url.substr(0, url.find_first_of("/?#", scheme + 3));
}

HttpClient::HttpClient() : multi_(nullptr) {
  initialise_curl();
  multi_ = curl_multi_init();
  if (multi_ == nullptr) throw std::bad_alloc();
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(settings::http_connections));
}

HttpClient::~HttpClient() {
  const SignalBlock block;
  for (const auto& transfer : active_) curl_multi_remove_handle(multi_, transfer->easy.get());
  active_.clear();
  curl_multi_cleanup(multi_);
}

void HttpClient::add(HttpRequest request) { waiting_.push_back(std::move(request)); }

std::size_t HttpClient::pending() const noexcept { return waiting_.size() + active_.size(); }

bool HttpClient::holds(const Uuid& id) const noexcept {
  return std::any_of(active_.begin(), active_.end(),
                     [&](const auto& transfer) { return transfer->request.id == id; }) ||
         std::any_of(waiting_.begin(), waiting_.end(),
                     [&](const HttpRequest& request) { return request.id == id; });
}

std::vector<Uuid> HttpClient::ids() const {
  std::vector<Uuid> all;
  for (const auto& transfer : active_) all.push_back(transfer->request.id);
  for (const HttpRequest& request : waiting_) all.push_back(request.id);
  return all;
}

std::vector<std::string> HttpClient::busy_origins(std::size_t limit) const {
  std::map<std::string_view, std::size_t> counts;
  for (const auto& transfer : active_) ++counts[origin_of(transfer->request.url)];
  for (const HttpRequest& request : waiting_) ++counts[origin_of(request.url)];
  std::vector<std::string> busy;
  for (const auto& [origin, count] : counts)
    if (count >= limit) busy.emplace_back(origin);
  return busy;
}

bool HttpClient::has_turn(const HttpRequest& request) const noexcept {
  const std::string_view origin = origin_of(request.url);
  const auto same = std::count_if(active_.begin(), active_.end(), [&](const auto& transfer) {
    return origin_of(transfer->request.url) == origin;
  });
  return same < (settings::http_connections + 1) / 2;
}

// Begins waiting requests while there is a free slot; tells whether it began any.
bool HttpClient::fill() {
  const auto slots = static_cast<std::size_t>(settings::http_connections);
  bool began = false;
  for (auto next = waiting_.begin(); active_.size() < slots && next != waiting_.end();) {
    if (!has_turn(*next)) {
      ++next;
      continue;
    }
    auto transfer = std::make_unique<Transfer>(std::move(*next));
    next = waiting_.erase(next);
    active_.reserve(active_.size() + 1);
    if (curl_multi_add_handle(multi_, transfer->easy.get()) != CURLM_OK)
      throw Error(Code::kInternal, "libcurl does not accept a request");
    active_.push_back(std::move(transfer));
    began = true;
  }
  return began;
}

void HttpClient::perform() {
  const SignalBlock block;
  int running = 0;
  if (const CURLMcode code = curl_multi_perform(multi_, &running); code != CURLM_OK)
    throw Error(Code::kInternal, std::string("libcurl failed: ") + curl_multi_strerror(code));
}

// Moves the outcomes of ended requests to `ended`.
void HttpClient::collect(std::vector<HttpResponse>& ended) {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    CURL* easy = message->easy_handle;
    const auto position = std::find_if(active_.begin(), active_.end(), [&](const auto& transfer) {
      return transfer->easy.get() == easy;
    });
    if (position == active_.end()) continue;
    ended.push_back((*position)->response(code));
    curl_multi_remove_handle(multi_, easy);
    std::swap(*position, active_.back());
    active_.pop_back();
  }
}

// How long to wait for the network next, in milliseconds; none when the caller shall have what has
// ended. Answers that come close together are recorded together.
int HttpClient::patience(bool some_ended, int elapsed, int since_end, int wait_ms) const {
  if (pending() == 0) return 0;
  if (some_ended) return std::min(kQuietMs, kGatherMs - since_end);
  return wait_ms < 0 ? kPollMs : std::min(kPollMs, wait_ms - elapsed);
}

std::vector<HttpResponse> HttpClient::finish(int wait_ms) {
  std::vector<HttpResponse> ended;
  const auto began = Clock::now();
  auto first_end = began;
  std::size_t known = 0;
  for (bool quiet = false;;) {
    call([] { CHECK_FOR_INTERRUPTS(); });
    fill();
    perform();
    collect(ended);
    if (quiet && !ended.empty() && ended.size() == known) return ended;
    if (known == 0) first_end = Clock::now();
    known = ended.size();
    // A slot that has become free is filled before anything is waited for.
    if (fill()) continue;
    const int wait = patience(known > 0, elapsed_ms(began), elapsed_ms(first_end), wait_ms);
    if (wait <= 0) return ended;
    int events = 0;
    if (const CURLMcode code = curl_multi_poll(multi_, nullptr, 0, wait, &events); code != CURLM_OK)
      throw Error(Code::kInternal, std::string("libcurl failed: ") + curl_multi_strerror(code));
    quiet = events == 0;
  }
}

}  // namespace vigil::pg
