#include "core/stack.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vigil {
namespace {

std::pmr::vector<StackFrame> parsed(std::string_view text, const StackHeader& header = {}) {
  std::pmr::vector<StackFrame> frames;
  parse_stack(text, header, frames);
  return frames;
}

// One line a frame: function | file | line | column | kind, and + for in_app.
std::string shown(std::string_view text, const StackHeader& header = {}) {
  std::string out;
  const auto number = [](std::int32_t value) {
    return value == StackFrame::kNone ? std::string("-") : std::to_string(value);
  };
  for (const StackFrame& frame : parsed(text, header)) {
    out.append(frame.function.empty() ? "-" : frame.function).append(" | ");
    out.append(frame.file.empty() ? "-" : frame.file).append(" | ");
    out.append(number(frame.line)).append(" | ").append(number(frame.column)).append(" | ");
    out.append(name_of(frame.kind)).append(frame.in_app ? " +\n" : "\n");
  }
  return out;
}

TEST(Stack, V8) {
  EXPECT_EQ(shown(R"~(TypeError: x
    at Object.foo (C:\Program Files (x86)\app\x.js:1:2)
    at C:\Program Files (x86)\app\x.js:3:4
    at /srv/my app (v2)/x.js:5:6
    at async /srv/my app/x.js:5:6
    at foo (wasm://wasm/0a1b2c:wasm-function[3]:0x1f)
    at wasm-function[42] (http://x/a.wasm:wasm-function[42]:0x1a2b)
    at Socket.<anonymous> (net.js:1:2)
    at Module._compile (internal/modules/cjs/loader.js:999:30)
    at new Promise (<anonymous>)
    at eval (eval at evaluate (:234:30), <anonymous>:1:7)
    at Foo.#priv (file:///a/b.ts:1:2)
    at async Promise.allSettled (index 0)
    at get x [as y] (webpack-internal:///./a.js:1:2)
    at Object.eval [as foo] (eval at <anonymous> (http://a/b.js:3:4), <anonymous>:9:1)
    at ServerResponse.emit [as __original] (node:events:513:28)
    at https://unpkg.com/react@17.0.2/umd/react.js:1:2
    at Foo.bar (https://cdn.x.com/a(1).js:1:2)
    at Generator.next (<anonymous>)
    at chrome-extension://abc/x.js:1:2
    at async (node:internal/x:1:2)
    at Array.map (native)
    at Object.toString (native array.js:1:2)
    at http://localhost:8080/a.js?q=(x):12:3)~"),
            R"~(Object.foo | C:\Program Files (x86)\app\x.js | 1 | 2 | app +
- | C:\Program Files (x86)\app\x.js | 3 | 4 | app +
- | /srv/my app (v2)/x.js | 5 | 6 | app +
- | /srv/my app/x.js | 5 | 6 | app +
foo | wasm://wasm/0a1b2c | - | - | app +
wasm-function[42] | http://x/a.wasm | - | - | app +
- | net.js | 1 | 2 | runtime
Module._compile | internal/modules/cjs/loader.js | 999 | 30 | runtime
Promise | - | - | - | native
- | - | 234 | 30 | eval +
Foo.#priv | file:///a/b.ts | 1 | 2 | app +
Promise.allSettled | - | - | - | native
get x | webpack-internal:///./a.js | 1 | 2 | app +
Object.eval | http://a/b.js | 3 | 4 | eval +
ServerResponse.emit | node:events | 513 | 28 | runtime
- | https://unpkg.com/react@17.0.2/umd/react.js | 1 | 2 | library
Foo.bar | https://cdn.x.com/a(1).js | 1 | 2 | app +
Generator.next | - | - | - | native
- | chrome-extension://abc/x.js | 1 | 2 | library
- | node:internal/x | 1 | 2 | runtime
Array.map | - | - | - | native
Object.toString | array.js | 1 | 2 | runtime
- | http://localhost:8080/a.js?q=(x) | 12 | 3 | app +
)~");
}

TEST(Stack, IgnoresWhatOnlyLooksLikeFrames) {
  EXPECT_EQ(shown(R"~(Error: at foo (bar.js:1:2)
at least one (thing)
    at real (a.js:1:2))~"),
            R"~(real | a.js | 1 | 2 | app +
)~");
}

TEST(Stack, HeaderEndsWithTheKnownMessage) {
  EXPECT_EQ(shown(R"~(Error: bad
    at fake (x.js:1:2)
    at b (y.js:1:2)
    at real (a.js:1:2))~",
                  {"Error", "bad\n    at fake (x.js:1:2)\n    at b (y.js:1:2)"}),
            R"~(real | a.js | 1 | 2 | app +
)~");
}

TEST(Stack, SpiderMonkey) {
  EXPECT_EQ(shown(R"~(foo@https://unpkg.com/react@17.0.2/index.js:1:2
setTimeout handler*bar@http://a/b.js:1:2
promise callback*baz/<@http://a/b.js:1:2
wasm-function[42]@http://x/a.wasm:wasm-function[42]:0x1a2b
anonymous@http://a/b.js line 3 > Function:1:2
map@self-hosted:240:17
foo@resource://gre/x.jsm:1:2
x@webpack-internal:///./src/a@b.js:3:4
async foo@http://a/b.js:1:1
module code@http://a/b.js:1:1
@debugger eval code:1:9
)~"),
            R"~(foo | https://unpkg.com/react@17.0.2/index.js | 1 | 2 | library
setTimeout handler*bar | http://a/b.js | 1 | 2 | app +
promise callback*baz | http://a/b.js | 1 | 2 | app +
wasm-function[42] | http://x/a.wasm | - | - | app +
- | http://a/b.js | 3 | - | eval +
map | self-hosted | 240 | 17 | runtime
foo | resource://gre/x.jsm | 1 | 2 | runtime
x | webpack-internal:///./src/a@b.js | 3 | 4 | app +
foo | http://a/b.js | 1 | 1 | app +
- | http://a/b.js | 1 | 1 | app +
- | debugger eval code | 1 | 9 | eval +
)~");
}

TEST(Stack, Hermes) {
  EXPECT_EQ(shown(R"~(TypeError: undefined
    at anonymous (address at /data/user/0/com.x/files/index.android.bundle:1:2)
    at apply (native)
    at _callTimer (http://localhost:8081/index.bundle?platform=ios&dev=true:1:2)
    at h (InternalBytecode.js:1:2))~"),
            R"~(- | /data/user/0/com.x/files/index.android.bundle | 1 | 2 | app +
apply | - | - | - | native
_callTimer | http://localhost:8081/index.bundle?platform=ios&dev=true | 1 | 2 | app +
h | InternalBytecode.js | 1 | 2 | runtime
)~");
}

TEST(Stack, PythonChains) {
  EXPECT_EQ(shown(R"~(Traceback (most recent call last):
  File "/a/x.py", line 1, in f
    g()
  File "/usr/lib/python3.11/json/decoder.py", line 2, in g
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "<stdin>", line 1, in <module>
  File "/v/site-packages/django/core.py", line 9, in Foo.bar
    x()
    ^^^
  [Previous line repeated 996 more times]
ValueError: x)~"),
            R"~(g | /usr/lib/python3.11/json/decoder.py | 2 | - | runtime
f | /a/x.py | 1 | - | app +
Foo.bar | /v/site-packages/django/core.py | 9 | - | library
- | <stdin> | 1 | - | eval +
)~");
}

TEST(Stack, PythonGroups) {
  EXPECT_EQ(shown(R"~(  + Exception Group Traceback (most recent call last):
  |   File "/a/main.py", line 3, in <module>
  |     raise ExceptionGroup("x", [a])
  | ExceptionGroup: x (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/a/b.py", line 5, in f
    |   File "/a/b.py", line 6, in g
    | ValueError: 1
    +---------------- 2 ----------------
    | TypeError: int
    +------------------------------------
)~"),
            R"~(- | /a/main.py | 3 | - | app +
g | /a/b.py | 6 | - | app +
f | /a/b.py | 5 | - | app +
)~");
}

TEST(Stack, PythonMostRecentCallFirst) {
  EXPECT_EQ(shown(R"~(Current thread 0x00007f (most recent call first):
  File "/a/b.py", line 5 in f
  File "/a/c.py", line 6 in <module>)~"),
            R"~(f | /a/b.py | 5 | - | app +
- | /a/c.py | 6 | - | app +
)~");
}

TEST(Stack, Java) {
  EXPECT_EQ(shown(R"~(Exception in thread "main" java.lang.RuntimeException: at x.y(Z.java:1)
	at com.x.A.<init>(A.java:10)
	at com.x.A$1.run(A.java:10) ~[app.jar:1.0]
	at com.x.Main$$Lambda/0x00007f1b2c.run(Unknown Source)
	at com.x.Main$$Lambda$14/0x0000000800c03000.run(Unknown Source:12) [classes/:na]
	at java.base@17.0.1/java.lang.Thread.run(Thread.java:840)
	at scala.collection.immutable.List.foreach(List.scala:431)
	at user$eval1.invoke(NO_SOURCE_FILE:1)
	at jdk.internal.reflect.GeneratedMethodAccessor1.invoke(Unknown Source)
	at com.x.KtKt$main$1.invokeSuspend(Kt.kt:3)
	at app//org.springframework.A$$FastClassBySpringCGLIB$$1.invoke(<generated>)
	at a.b.c(SourceFile)
	at a.b.c(SourceFile:12)
	Suppressed: java.lang.E: x
		at com.x.R.close(R.java:3)
		... 1 more
Caused by: java.lang.E
	... 12 common frames omitted)~"),
            R"~(com.x.A.<init> | A.java | 10 | - | app +
com.x.A$1.run | A.java | 10 | - | app +
com.x.Main$$Lambda/0x00007f1b2c.run | - | - | - | app +
com.x.Main$$Lambda$14/0x0000000800c03000.run | - | 12 | - | app +
java.lang.Thread.run | Thread.java | 840 | - | runtime
scala.collection.immutable.List.foreach | List.scala | 431 | - | runtime
user$eval1.invoke | NO_SOURCE_FILE | 1 | - | app +
jdk.internal.reflect.GeneratedMethodAccessor1.invoke | - | - | - | runtime
com.x.KtKt$main$1.invokeSuspend | Kt.kt | 3 | - | app +
org.springframework.A$$FastClassBySpringCGLIB$$1.invoke | <generated> | - | - | library
a.b.c | SourceFile | - | - | app +
a.b.c | SourceFile | 12 | - | app +
com.x.R.close | R.java | 3 | - | app +
)~");
}

TEST(Stack, GoPanic) {
  EXPECT_EQ(shown(R"~(goroutine 1 [running]:
runtime/debug.Stack()
	/usr/local/go/src/runtime/debug/stack.go:24 +0x65
panic({0x1, 0x2})
	/usr/local/go/src/runtime/panic.go:884 +0x212
github.com/x/y/pkg.(*T[...]).M(0xc0000, {0x1, 0x2})
	/root/go/pkg/mod/github.com/x/y@v1.2.3/pkg/a.go:12 +0x1a
main.f(...)
	C:/work/my app/a.go:12
...additional frames elided...
created by net/http.(*Server).Serve
	/usr/local/go/src/net/http/server.go:3086 +0x5cb

goroutine 5 [chan receive, 3 minutes]:
main.g()
	/a/b.go:3 +0x1
)~"),
            R"~(runtime/debug.Stack | /usr/local/go/src/runtime/debug/stack.go | 24 | - | runtime
panic | /usr/local/go/src/runtime/panic.go | 884 | - | runtime
github.com/x/y/pkg.(*T[...]).M | /root/go/pkg/mod/github.com/x/y@v1.2.3/pkg/a.go | 12 | - | library
main.f | C:/work/my app/a.go | 12 | - | app +
net/http.(*Server).Serve | /usr/local/go/src/net/http/server.go | 3086 | - | runtime
main.g | /a/b.go | 3 | - | app +
)~");
}

TEST(Stack, GoErrors) {
  EXPECT_EQ(shown(R"~(main.foo
	/a/b.go:12
runtime.goexit
	/usr/local/go/src/runtime/asm_amd64.s:1594)~"),
            R"~(main.foo | /a/b.go | 12 | - | app +
runtime.goexit | /usr/local/go/src/runtime/asm_amd64.s | 1594 | - | runtime
)~");
}

TEST(Stack, Ruby) {
  EXPECT_EQ(shown(R"~(/a/x.rb:1:in 'Foo#bar': boom (RuntimeError)
	from /a/y.rb:2:in 'block in Foo.baz'
	from <internal:kernel>:187:in 'loop'
	from (eval at /a/z.rb:3):1:in 'qux'
	from /usr/lib/ruby/gems/3.1.0/gems/rack-2.2/lib/rack.rb:3:in `call'
	from C:/a/y.rb:2:in `x?'
	from bin/x:3)~"),
            R"~(Foo#bar | /a/x.rb | 1 | - | app +
block in Foo.baz | /a/y.rb | 2 | - | app +
loop | <internal:kernel> | 187 | - | runtime
qux | /a/z.rb | 3 | - | eval +
call | /usr/lib/ruby/gems/3.1.0/gems/rack-2.2/lib/rack.rb | 3 | - | library
x? | C:/a/y.rb | 2 | - | app +
- | bin/x | 3 | - | app +
)~");
}

TEST(Stack, RubyCallerFirst) {
  EXPECT_EQ(shown(R"~(Traceback (most recent call last):
	2: from main.rb:9:in `<main>'
	1: from main.rb:5:in `b'
main.rb:1:in `a': boom (RuntimeError))~"),
            R"~(a | main.rb | 1 | - | app +
b | main.rb | 5 | - | app +
- | main.rb | 9 | - | app +
)~");
}

TEST(Stack, Php) {
  EXPECT_EQ(shown(R"~(#0 /a/x.php(12): Foo->{closure:Foo::bar():3}('(12): a')
#1 /a/x.php(12) : eval()'d code(1): foo()
#2 /a (b)/x.php(3): Foo::bar()
#3 /v/vendor/x.php(9): class@anonymous->x(Object(A\B), 'str...')
#4 /a.php(1): require('/x/y.php')
#5 {main})~"),
            R"~(Foo->{closure:Foo::bar():3} | /a/x.php | 12 | - | app +
foo | /a/x.php | 12 | - | eval +
Foo::bar | /a (b)/x.php | 3 | - | app +
class@anonymous->x | /v/vendor/x.php | 9 | - | library
require | /a.php | 1 | - | app +
)~");
}

TEST(Stack, PhpXdebug) {
  EXPECT_EQ(shown(R"~(PHP Fatal error:  x
PHP Stack trace:
PHP   1. {main}() /a/x.php:0
PHP   2. foo($a = 1) /a/x.php:12
PHP   3. Bar->baz() /a/y.php:3)~"),
            R"~(Bar->baz | /a/y.php | 3 | - | app +
foo | /a/x.php | 12 | - | app +
)~");
}

TEST(Stack, DotNet) {
  EXPECT_EQ(shown(R"~(Unhandled exception. System.Exception: x
 ---> System.IO.IOException: y
   at Foo.Bar[T](T x, ValueTuple`2 y) in /a/b.cs:line 12
   at Foo.<>c__DisplayClass1_0.<Bar>b__0(Object o) in C:\a (b) in\b.cs:line 3
   --- End of inner exception stack trace ---
   at Program.<Main>$(String[] args) in /p.cs:line 1
   at Program.<<Main>$>g__Local|0_1() in /p.cs:line 1
   at System.Threading.Tasks.Task.Execute()
   at lambda_method(Closure , Object )
   at Foo..ctor()
   bei Foo.Bar() in C:\x.cs:Zeile 41.
  at Foo.Bar (System.String s, System.Int32 i) [0x00012] in /a/b.cs:41 
  at Foo.Baz () [0x00000] in <abc123>:0 
  at (wrapper managed-to-native) System.Object.__icall(object)
  at Foo.Bar() + 0x12
Player:Hit(Int32) (at Assets/My Scripts/Player.cs:12))~"),
            R"~(Foo.Bar[T] | /a/b.cs | 12 | - | app +
Foo.<>c__DisplayClass1_0.<Bar>b__0 | C:\a (b) in\b.cs | 3 | - | app +
Program.<Main>$ | /p.cs | 1 | - | app +
Program.<<Main>$>g__Local|0_1 | /p.cs | 1 | - | app +
System.Threading.Tasks.Task.Execute | - | - | - | runtime
lambda_method | - | - | - | app +
Foo..ctor | - | - | - | app +
Foo.Bar | C:\x.cs | 41 | - | app +
Foo.Bar | /a/b.cs | 41 | - | app +
Foo.Baz | - | - | - | app +
System.Object.__icall | - | - | - | runtime
Foo.Bar | - | - | - | app +
Player:Hit | Assets/My Scripts/Player.cs | 12 | - | app +
)~");
}

TEST(Stack, Rust) {
  EXPECT_EQ(
      shown(R"~(thread 'main' panicked at 'x', src/main.rs:1:2
stack backtrace:
   0: std::panicking::begin_panic_handler
             at /rustc/abc/library/std/src/panicking.rs:5:1
   1: <T as core::fmt::Display>::fmt
   2: bank::a::{{closure}}::h0123456789abcdef
             at src/a b.rs:1
  10:     0x5586 - main
note: x)~"),
      R"~(std::panicking::begin_panic_handler | /rustc/abc/library/std/src/panicking.rs | 5 | 1 | runtime
<T as core::fmt::Display>::fmt | - | - | - | native
bank::a::{{closure}}::h0123456789abcdef | src/a b.rs | 1 | - | app +
main | - | - | - | native
)~");
}

TEST(Stack, Dart) {
  EXPECT_EQ(shown(R"~(#0      main.<anonymous closure> (file:///a/x.dart:12:5)
#1      _rootRun (dart:async/zone.dart:1399:13)
<asynchronous suspension>
#2      new Foo (package:bar/foo.dart:3:1)
#3      List.[] (dart:core-patch/array.dart)
#4      State.build (package:flutter/src/x.dart:3)
package:bar/ledger.dart 41:3  Ledger.post
dart:async                    _rootRun
main.dart 3:1                 main.<fn>)~"),
            R"~(main.<anonymous closure> | file:///a/x.dart | 12 | 5 | app +
_rootRun | dart:async/zone.dart | 1399 | 13 | runtime
Foo | package:bar/foo.dart | 3 | 1 | app +
List.[] | dart:core-patch/array.dart | - | - | runtime
State.build | package:flutter/src/x.dart | 3 | - | library
Ledger.post | package:bar/ledger.dart | 41 | 3 | app +
_rootRun | dart:async | - | - | runtime
main.<fn> | main.dart | 3 | 1 | app +
)~");
}

TEST(Stack, AppleCrashReport) {
  EXPECT_EQ(shown(R"~(Thread 0 Crashed:
0   libswiftCore.dylib            	0x00000001a1b2c3d4 _assertionFailure(_:_:file:line:flags:) + 52
1   MyApp                         	0x0000000100003f2c closure #1 in ViewController.viewDidLoad() + 52 (ViewController.swift:41)
2   My App                         	0x0000000100003f2c -[AppDelegate application:didFinish:] + 52
3   MyApp  0x0000000104e3c000 0x104e38000 + 16384
4   UIKit 0x0000000104e3c000 main + 12)~"),
            R"~(_assertionFailure | - | - | - | native
closure #1 in ViewController.viewDidLoad | ViewController.swift | 41 | - | app +
-[AppDelegate application:didFinish:] | - | - | - | native
- | - | - | - | native
main | - | - | - | native
)~");
}

TEST(Stack, SwiftBacktrace) {
  EXPECT_EQ(shown(R"~(0 0x00000001 level1() + 24 in crash at /src/my app/crash.swift:4:15
1 [ra] 0x00000002 static Foo.main() throws -> Swift.Int + 3 in crash at /a.swift:1:2
2 [ra] [system] 0x00000003 main + 12 in crash)~"),
            R"~(level1 | /src/my app/crash.swift | 4 | 15 | app +
static Foo.main | /a.swift | 1 | 2 | app +
main | - | - | - | native
)~");
}

TEST(Stack, NativeTools) {
  EXPECT_EQ(shown(R"~(    #0 0x4f5 in ns::Foo<int, A>::bar(int, char) const /src/my dir/x.cc:12:5
    #1 0x7f in __libc_start_main (/lib/libc.so.6+0x29d90) (BuildId: abc)
    #2 0x7f (/lib/libc.so.6+0x29d90)
    #3 0x4f5 in main /src/x.c:12
#0  0x00007f in foo (args=1) at file.c:12
#1  bar () at /a/b.c:3
#2  raise () from /lib/libc.so.6
    #00 pc 0000000000089a1c  /apex/libc.so (abort+164) (BuildId: x)
    #01 pc 0000000000089a1c  /system/lib64/libart.so
./bank(post+0x19) [0x401196]
/lib/libc.so.6(+0x29d90) [0x7f])~"),
            R"~(ns::Foo<int, A>::bar | /src/my dir/x.cc | 12 | 5 | app +
__libc_start_main | /lib/libc.so.6 | - | - | native
- | /lib/libc.so.6 | - | - | native
main | /src/x.c | 12 | - | app +
foo | file.c | 12 | - | app +
bar | /a/b.c | 3 | - | app +
raise | /lib/libc.so.6 | - | - | native
abort | /apex/libc.so | - | - | native
- | /system/lib64/libart.so | - | - | native
post | ./bank | - | - | native
- | /lib/libc.so.6 | - | - | native
)~");
}

TEST(Stack, PlPgSql) {
  EXPECT_EQ(shown(R"~(PL/pgSQL function bank.f(character varying) line 3 at RAISE
PL/pgSQL function g() while casting return value to function's return type
SQL function "h" statement 1
PL/pgSQL function inline_code_block line 1 at PERFORM
compilation of PL/pgSQL function "z" near line 3
PL/Python function "py"
PL/pgSQL function f(integer) line 5 during statement block entry
CONTEXT:  PL/pgSQL function x() line 1 at SQL statement)~"),
            R"~(bank.f(character varying) | - | 3 | - | app +
g() | - | - | - | app +
h | - | - | - | app +
inline_code_block | - | 1 | - | app +
z | - | 3 | - | app +
py | - | - | - | app +
f(integer) | - | 5 | - | app +
x() | - | 1 | - | app +
)~");
}

TEST(Stack, PlPgSqlInOtherLanguages) {
  EXPECT_EQ(shown(R"~(PL/pgSQL-Funktion bank.f(character varying,integer) Zeile 14 bei RAISE
fonction PL/pgSQL f(), ligne 3, à PERFORM
función PL/pgSQL f(integer) en la línea 4 en RAISE
функция PL/pgSQL inline_code_block, строка 1, оператор PERFORM
PL/pgSQL is a language (of 1998)
PL/pgSQL f(x) without a line)~"),
            R"~(bank.f(character varying,integer) | - | 14 | - | app +
f() | - | 3 | - | app +
f(integer) | - | 4 | - | app +
inline_code_block | - | 1 | - | app +
)~");
}

TEST(Stack, PassesStatementsOfSql) {
  EXPECT_EQ(shown(R"~(SQL statement "SELECT 1
PL/pgSQL function fake() line 1 at RAISE
"
PL/pgSQL function f() line 2 at PERFORM
SQL statement "SELECT 2"
PL/pgSQL function g() line 3 at PERFORM
SQL statement "SELECT
PL/pgSQL function h() line 4 at PERFORM)~"),
            R"~(f() | - | 2 | - | app +
g() | - | 3 | - | app +
h() | - | 4 | - | app +
)~");
}

TEST(Stack, PlPython) {
  EXPECT_EQ(shown(R"~(Traceback (most recent call last):
  PL/Python function "a b", line 5, in <module>
    PL/Python function "c", line 3, in fake
  PL/Python function "a b", line 2, in post
PL/Python function "a b")~"),
            R"~(post | - | 2 | - | app +
fake | - | 3 | - | app +
- | - | 5 | - | app +
a b | - | - | - | app +
)~");
}

TEST(Stack, Perl) {
  EXPECT_EQ(shown(R"~(limit at lib/A.pm line 41, <STDIN> line 3.
	A::B::post("at x line 2", 1) called at my dir/a.pl line 12
	Try::Tiny::try() called at /usr/share/perl5/Try/Tiny.pm line 98
	Carp::croak() called at /usr/share/perl/5.36/Carp.pm line 9
	eval {...} called at (eval 7) line 1
died at the end of line 3.
Meet at noon, line 4)~"),
            R"~(- | lib/A.pm | 41 | - | app +
A::B::post | my dir/a.pl | 12 | - | app +
Try::Tiny::try | /usr/share/perl5/Try/Tiny.pm | 98 | - | library
Carp::croak | /usr/share/perl/5.36/Carp.pm | 9 | - | runtime
eval {...} | (eval 7) | 1 | - | eval +
)~");
}

TEST(Stack, Lua) {
  EXPECT_EQ(shown(R"~(lua: a.lua:1: in function 'early'
stack traceback:
	[C]: in function 'error'
	my dir/a.lua:41: in function 'bank.post'
	a.lua:50: in upvalue 'check'
	a.lua:51: in function <a.lua:30>
	/usr/share/lua/5.1/b.lua:1: in function 'x'
	[string "x: in y"]:9: in main chunk
	[C]: in ?)~"),
            R"~(error | - | - | - | native
bank.post | my dir/a.lua | 41 | - | app +
check | a.lua | 50 | - | app +
- | a.lua | 51 | - | app +
x | /usr/share/lua/5.1/b.lua | 1 | - | library
- | - | - | - | native
)~");
}

TEST(Stack, Elixir) {
  EXPECT_EQ(shown(R"~(** (RuntimeError) at foo.ex:1: x
    (bank 0.1.0) lib/a b.ex:41: Bank.post/2
    (phoenix 1.7.1) lib/phoenix/router.ex:432: Phoenix.Router.__call__/5
    (elixir 1.15.7) lib/enum.ex:2: anonymous fn/3 in Enum.map/2
    (stdlib 5.1.1) :gen.call/4
    lib/plain.ex:9: Bank.run/0
    lib/plain.ex:9: undefined function
    iex:1: (file))~"),
            R"~(Bank.post/2 | lib/a b.ex | 41 | - | app +
Phoenix.Router.__call__/5 | lib/phoenix/router.ex | 432 | - | library
anonymous fn/3 in Enum.map/2 | lib/enum.ex | 2 | - | runtime
:gen.call/4 | - | - | - | runtime
Bank.run/0 | lib/plain.ex | 9 | - | app +
(file) | iex | 1 | - | app +
)~");
}

TEST(Stack, ErlangShell) {
  EXPECT_EQ(shown(R"~(** exception error: bad argument
     in function  ledger:post/2 (src/ledger.erl, line 41)
     in call from erl_eval:do_apply/6
     in one of the cases (of many, line x))~"),
            R"~(ledger:post/2 | src/ledger.erl | 41 | - | app +
erl_eval:do_apply/6 | - | - | - | app +
)~");
}

TEST(Stack, GoErrorsWithStacks) {
  EXPECT_EQ(shown(R"~(*errors.errorString x
/a/b.go:12 (0x4a1b2c)
	(*T).open: return errors.New("x: y")
/usr/local/go/src/runtime/proc.go:250 (0x43a1b2)
	main: fn())~"),
            R"~((*T).open | /a/b.go | 12 | - | app +
main | /usr/local/go/src/runtime/proc.go | 250 | - | app +
)~");
}

TEST(Stack, DotNetInOtherLanguages) {
  EXPECT_EQ(shown(R"~(System.Exception: x
   bei A.B.C(Int32 id) in C:\a b\c.cs:Zeile 41.
   bei A.B.D(String s)
   in A.B.C(Int32 id) in C:\c.cs:riga 45
   in A.B.D()
   v A.B.C() v C:\c.cs:řádek 47
   於 A.B.C() 於 C:\c.cs: 行 44
   위치: A.B.C(Int32 id) 파일 C:\c.cs:줄 46
   場所 A.B.D()
   in Foo (at a.js:1)
   see a.b(c))~"),
            R"~(A.B.C | C:\a b\c.cs | 41 | - | app +
A.B.D | - | - | - | app +
A.B.C | C:\c.cs | 45 | - | app +
A.B.D | - | - | - | app +
A.B.C | C:\c.cs | 47 | - | app +
A.B.C | C:\c.cs | 44 | - | app +
A.B.C | C:\c.cs | 46 | - | app +
A.B.D | - | - | - | app +
)~");
}

TEST(Stack, Metro) {
  EXPECT_EQ(shown(R"~(TypeError: x
    at src/my dir/a.tsx:41:22 in post
    at a.js:3:4 in <anonymous>
* b.ts:12:9 in A#total
- node_modules/promise/core.js:37:14 in tryCallOne
- ... 5 more stack frames from framework internals
- 12:30 in the morning)~"),
            R"~(post | src/my dir/a.tsx | 41 | 22 | app +
- | a.js | 3 | 4 | app +
A#total | b.ts | 12 | 9 | app +
tryCallOne | node_modules/promise/core.js | 37 | 14 | library
)~");
}

TEST(Stack, ValgrindAndThreadSanitizer) {
  EXPECT_EQ(shown(R"~(==1==    at 0x4C2AB80: A::post(int, char const*) (a.cc:41)
==1==    by 0x4E5A2B0: main (in /usr/lib/a.so)
==1==    by 0x400500: ??? (in /srv/bank)
    #0 A::post(void*) src/a.cc:41:5 (bank+0x4a1b)
    #1 main a.c:12 (bank+0x4a1c) (BuildId: 0f1e))~"),
            R"~(A::post | a.cc | 41 | - | app +
main | /usr/lib/a.so | - | - | native
- | /srv/bank | - | - | native
A::post | src/a.cc | 41 | 5 | app +
main | a.c | 12 | - | app +
)~");
}

TEST(Stack, GoWithoutIndentation) {
  EXPECT_EQ(shown(R"~(main.post(0x1, 0x2)
/a/b.go:12 +0x1a5
main.(*T).f(0x1)
??:0 +0x5d)~"),
            "main.post | /a/b.go | 12 | - | app +\nmain.(*T).f | ?? | 0 | - | app +\n");
}

TEST(Stack, BehindTheWordsOfALog) {
  EXPECT_EQ(shown("api_1  |     at f (a.js:1:2)\n"), "f | a.js | 1 | 2 | app +\n");
  EXPECT_EQ(shown("E/AndroidRuntime( 1234): E: x\n"
                  "E/AndroidRuntime( 1234): \tat a.b.C.d(C.java:41)\n"
                  "03-01 10:00:00.123  1234  1240 E AndroidRuntime: \tat a.b.C.e(Native Method)\n"),
            "a.b.C.d | C.java | 41 | - | app +\na.b.C.e | - | - | - | native\n");
}

TEST(Stack, SourceOfPythonIsNoFrame) {
  EXPECT_EQ(shown(R"~(Traceback (most recent call last):
File "/a/x.py", line 1, in f
    # at foo (a.js:1:2)
  File "/a/y.py", line 2, in g
    b@c.d:1:2
    ^^^^^
    at bar (a.js:1:2)
ValueError: x
    at real (a.js:1:2))~"),
            R"~(g | /a/y.py | 2 | - | app +
f | /a/x.py | 1 | - | app +
real | a.js | 1 | 2 | app +
)~");
}

TEST(Stack, MoreNativeTools) {
  EXPECT_EQ(shown(R"~( 0# a::b(int) at /src/my dir/x.cc:41
 1# 0x00007F in /lib/libc.so.6
 2# main in ./bank
  * frame #0: 0x0001 bank`A.post(n=-3) at A.swift:41:15
    frame #1: 0x0002 libdyld.dylib`start + 4
#0  ?? () from /lib/x.so
    #00 abs 0000007a1b virt 0000000032 _kDart+0x1e3
      #02 pc 0000014a  /data/base.apk (offset 0x1000) (Java_post+12))~"),
            R"~(a::b | /src/my dir/x.cc | 41 | - | app +
- | /lib/libc.so.6 | - | - | native
main | ./bank | - | - | native
A.post | A.swift | 41 | 15 | app +
start | - | - | - | native
- | /lib/x.so | - | - | native
_kDart | - | - | - | native
Java_post | /data/base.apk | - | - | native
)~");
}

TEST(Stack, NameThenFrames) {
  EXPECT_EQ(shown(R"~(foo
Error: x
bar@http://a/b.js:1:2)~",
                  {"Error", "x"}),
            R"~(foo | - | - | - | app +
bar | http://a/b.js | 1 | 2 | app +
)~");
}

TEST(Stack, LoneNamesAreWords) {
  EXPECT_EQ(shown(R"~(foo
bar
baz)~"),
            "");
}

TEST(Stack, ANameAlone) { EXPECT_EQ(shown(R"~(Error)~", {"Error", ""}), ""); }

TEST(Stack, WordsAreNoFrames) {
  EXPECT_EQ(shown(R"~(at http://a/b covers as much as possible.
Expected integer (at char 0), (line:1, col:1)
Word(nums).parse("ABC")  # -> Expected W:(0-9) (at char 0), (line:1, col:1)
package: Package,
SELECT a.rate(b, 'c') at 00:10
in a.b(c)d
  at the end of line 3
File "x" is missing
from here to there:3 and on
#1 priority (really)
0: none
1. call(me) maybe
see c.d: in it)~"),
            "");
}

TEST(Stack, Empty) { EXPECT_EQ(shown(""), ""); }

TEST(Stack, AnAddressIsNoFrame) { EXPECT_EQ(shown(R"~(Hello user@example.com:25:1 said)~"), ""); }

TEST(Stack, MessageOfTwoLinesInRuby) {
  EXPECT_EQ(shown(R"~(a.rb:41:in `post': undefined method `id'
from x.rb:1:in `z' (NoMethodError)
	from b.rb:2:in `q')~",
                  {"NoMethodError", "undefined method `id'\nfrom x.rb:1:in `z'"}),
            R"~(post | a.rb | 41 | - | app +
q | b.rb | 2 | - | app +
)~");
}

TEST(Stack, MessageLikeAFrameInJava) {
  EXPECT_EQ(shown(R"~(E: at com.x.Y.z(Y.java:3)
	at a.b.C.d(C.java:1))~",
                  {"E", "at com.x.Y.z(Y.java:3)"}),
            R"~(a.b.C.d | C.java | 1 | - | app +
)~");
}

TEST(Stack, NodeUncaught) {
  EXPECT_EQ(shown(R"~(/srv/app.js:12
  throw new Error('x')
  ^

Error: x
    at Object.<anonymous> (/srv/app.js:12:9)
    at node:internal/main:1:2

Node.js v18)~"),
            R"~(- | /srv/app.js | 12 | 9 | app +
- | node:internal/main | 1 | 2 | runtime
)~");
}

TEST(Stack, NodeProperties) {
  EXPECT_EQ(shown(R"~(Error: x
    at a (x.js:1:2)
    at b (y.js:3:4) {
  code: 'E'
}
Caused by: Error: y
    at c (z.js:1:1))~"),
            R"~(a | x.js | 1 | 2 | app +
b | y.js | 3 | 4 | app +
c | z.js | 1 | 1 | app +
)~");
}

TEST(Stack, CarriageReturns) {
  EXPECT_EQ(shown("Error: x\r\n    at a (x.js:1:2)\r\n    at b (y.js:3:4)\r\n"),
            R"~(a | x.js | 1 | 2 | app +
b | y.js | 3 | 4 | app +
)~");
}

TEST(Stack, NodeCause) {
  EXPECT_EQ(shown(R"~(AggregateError
    at a (x.js:1:2) {
  [cause]: Error: y
      at q (z.js:3:4))~"),
            R"~(a | x.js | 1 | 2 | app +
q | z.js | 3 | 4 | app +
)~");
}

TEST(Stack, DotNetWithoutPlaces) {
  EXPECT_EQ(shown(R"~(   at Bank.Api+<Handle>d__5.MoveNext()
   at System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw()
   at Bank.Ledger.get_Id())~"),
            R"~(Bank.Api+<Handle>d__5.MoveNext | - | - | - | app +
System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw | - | - | - | runtime
Bank.Ledger.get_Id | - | - | - | app +
)~");
}

TEST(Stack, ListsAreNoSymbols) {
  EXPECT_EQ(shown(R"~(caused by
0: timeout
1: other thing)~"),
            "");
}

TEST(Stack, RustWithoutHeading) {
  EXPECT_EQ(shown(R"~(Error: x
  0: bank::post
             at ./src/a.rs:1:2
  1: main)~"),
            R"~(bank::post | ./src/a.rs | 1 | 2 | app +
)~");
}

TEST(Stack, PythonSyntaxError) {
  EXPECT_EQ(shown(R"~(  File "x.py", line 3
    foo(
       ^
SyntaxError: x)~"),
            R"~(- | x.py | 3 | - | app +
)~");
}

TEST(Stack, PythonFramesAlone) {
  EXPECT_EQ(shown(R"~(  File "/a/b.py", line 3, in <lambda>
  File "/a/b.py", line 4, in <listcomp>)~"),
            R"~(<listcomp> | /a/b.py | 4 | - | app +
<lambda> | /a/b.py | 3 | - | app +
)~");
}

TEST(Stack, Android) {
  EXPECT_EQ(shown(R"~(java.lang.E: x
	at com.x.A.b(A.kt)
	at com.x.A.access$000(Unknown Source:2)
	at r8-map-id.x.y(:12)
	at $Proxy12.foo(Unknown Source)
	at com.x.A$Companion.b$default(PG:12)
	at com.x.A.b(A.java:12)[foo.jar:na]
	at com.x.A.b(A.java:13) ~[foo.jar:?] {re:mixin,pl:x}
	at com.x.A.b(A.java:14(Compiled Code))
	at com.x.A.b(A.java(Inlined Compiled Code)))~"),
            R"~(com.x.A.b | A.kt | - | - | app +
com.x.A.access$000 | - | 2 | - | app +
r8-map-id.x.y | - | 12 | - | app +
$Proxy12.foo | - | - | - | app +
com.x.A$Companion.b$default | PG | 12 | - | app +
com.x.A.b | A.java | 12 | - | app +
com.x.A.b | A.java | 13 | - | app +
com.x.A.b | A.java | 14 | - | app +
com.x.A.b | A.java | - | - | app +
)~");
}

TEST(Stack, GoRuntimeDetails) {
  EXPECT_EQ(shown(R"~(goroutine 1 [running]:
main.(*T).f(0x0?)
	/a/b.go:3 +0x1
main.glob..func1({0x1?, 0x2?})
	/a/b.go:4
exit status 2
goroutine 18 [select]:
main.h[...]({0x1})
	/a/c.go:5 +0x7 fp=0xc sp=0xd pc=0x1)~"),
            R"~(main.(*T).f | /a/b.go | 3 | - | app +
main.glob..func1 | /a/b.go | 4 | - | app +
main.h[...] | /a/c.go | 5 | - | app +
)~");
}

TEST(Stack, FirefoxWithoutColumns) {
  EXPECT_EQ(shown(R"~(foo@app.js:12
@app.js:3
bar()@app.js:4)~"),
            R"~(foo | app.js | 12 | - | app +
- | app.js | 3 | - | app +
bar | app.js | 4 | - | app +
)~");
}

TEST(Stack, TrailingTextIsNoFrame) {
  EXPECT_EQ(shown(R"~(E
    at Object.foo [as bar] (/a/b.js:1:2) [fn])~"),
            "");
}

TEST(Stack, Safari) {
  EXPECT_EQ(shown(R"~(Error
    at http://a/b.js:1:2
    at window.onload (http://a/b.js:9:1)
    at c (<unknown>:1:2)
    at Object.d (<anonymous>)
    at f (http://a/b.js))~"),
            R"~(- | http://a/b.js | 1 | 2 | app +
window.onload | http://a/b.js | 9 | 1 | app +
c | <unknown> | 1 | 2 | app +
Object.d | - | - | - | native
f | http://a/b.js | - | - | app +
)~");
}

TEST(Stack, Indentation) {
  EXPECT_EQ(shown(R"~(Error: x
    at  spaced (a.js:1:2)
	at tab (b.js:1:2)
at none (c.js:1:2))~"),
            R"~(spaced | a.js | 1 | 2 | app +
tab | b.js | 1 | 2 | app +
none | c.js | 1 | 2 | app +
)~");
}

TEST(Stack, RustGenerics) {
  EXPECT_EQ(shown(R"~(thread 'main' panicked at src/main.rs:2:5:
x
stack backtrace:
   0: <alloc::vec::Vec<T> as core::ops::Index<I>>::index
   1: <bank::A as bank::B>::c
             at /srv/bank/a.rs:1:2
   2: core::ops::function::FnOnce::call_once{{vtable.shim}}
             at /home/x/.cargo/registry/src/a/b.rs:2:3)~"),
            R"~(<alloc::vec::Vec<T> as core::ops::Index<I>>::index | - | - | - | runtime
<bank::A as bank::B>::c | /srv/bank/a.rs | 1 | 2 | app +
core::ops::function::FnOnce::call_once{{vtable.shim}} | /home/x/.cargo/registry/src/a/b.rs | 2 | 3 | runtime
)~");
}

TEST(Stack, TabsInPaths) {
  EXPECT_EQ(shown(R"~(foo	bar.rb:3:in `x')~"),
            R"~(x | foo	bar.rb | 3 | - | app +
)~");
}

TEST(Stack, KotlinNative) {
  EXPECT_EQ(shown(R"~(Uncaught Kotlin exception: kotlin.Exception: x
    at 0   bank.kexe   0x1 kfun:main() + 2 (/src/main.kt:3:5)
    at 1   bank.kexe   0x2 kfun:a#b(){} + 3 )~"),
            "kfun:main | /src/main.kt | 3 | 5 | app +\nkfun:a#b(){} | - | - | - | native\n");
}

TEST(Stack, ReactNativeAndMonoWithoutFiles) {
  EXPECT_EQ(shown(R"~(Error: x
    at render(/home/bank/src/Ledger.js:78:24)
    at Foo.Bar () in <filename unknown>:0
    at [object Object].every [as _onTimeout] (/srv/bank (old)/test.coffee:36:3))~"),
            "render | /home/bank/src/Ledger.js | 78 | 24 | app +\n"
            "Foo.Bar | - | - | - | app +\n"
            "[object Object].every | /srv/bank (old)/test.coffee | 36 | 3 | app +\n");
}

TEST(Stack, ShowsTheLinesThatAreTheFrame) {
  const auto frames = parsed("goroutine 1:\nmain.f()\n\t/a/b.go:3 +0x1\nmain.g()\n\t/a/c.go:4\n");
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].raw, "main.f()\n\t/a/b.go:3 +0x1");
  EXPECT_EQ(parsed("E\n    at a (b.js:1:2)  \n")[0].raw, "at a (b.js:1:2)");
}

TEST(Stack, AppendsToTheFrames) {
  std::pmr::vector<StackFrame> frames(3);
  parse_stack(
      "Traceback (most recent call last):\n  File \"a\", line 1, in f\n  File \"b\", line 2, in "
      "g\n",
      {}, frames);
  ASSERT_EQ(frames.size(), 5U);
  EXPECT_EQ(frames[3].function, "g");
  EXPECT_EQ(frames[4].function, "f");
}

TEST(Stack, NumbersBeyondNineDigitsAreNoLines) {
  EXPECT_EQ(shown("E\n    at a (b.js:9999999999:1)"), "a | b.js:9999999999 | 1 | - | app +\n");
  EXPECT_EQ(shown("E\n    at a (b.js:999999999:1)"), "a | b.js | 999999999 | 1 | app +\n");
}

TEST(Stack, AnyBytesWillDo) {
  using namespace std::string_view_literals;
  EXPECT_EQ(shown("E\n    at a\0b (c\xff\xfe.js:1:2)"sv),
            "a\0b | c\xff\xfe.js | 1 | 2 | app +\n"sv);
  EXPECT_EQ(shown("\0\0\n\xc3\n@\n#\n(\n)\nat \n0:\n1. \n|\nFile \nCONTEXT:\n"sv), "");
}

TEST(Stack, PassesByWhatIsBeyondTheWantedFrames) {
  const auto limited = [](std::string_view text, std::size_t wanted) {
    std::pmr::vector<StackFrame> frames;
    parse_stack(text, {}, frames, wanted);
    std::string out;
    for (const StackFrame& frame : frames) out.append(frame.function).append(" ");
    return out;
  };
  constexpr std::string_view kJava = R"~(E: x
	at java.util.List.of(List.java:1)
	at a.A.one(A.java:1)
	at a.A.two(A.java:2)
	at a.A.three(A.java:3)
Caused by: E: y
	at a.B.one(B.java:1)
	at org.apache.C.d(C.java:1)
	at a.B.two(B.java:2)
	at a.B.three(B.java:3)
	... 3 more)~";
  EXPECT_EQ(limited(kJava, 2), "java.util.List.of a.A.one a.A.two a.B.one org.apache.C.d a.B.two ");
  EXPECT_EQ(limited(kJava, 0), "");
  EXPECT_EQ(limited("a@x.js:1:2\nb@x.js:1:2\nc@x.js:1:2\n", 1), "a ");
  // The throw site is last, or a frame takes two lines: all are read.
  EXPECT_EQ(limited("  File \"a.py\", line 1, in f\n  File \"b.py\", line 2, in g\n", 1), "g f ");
  EXPECT_EQ(limited("stack backtrace:\n   0: a::b\n      at x.rs:1\n   1: c\n      at x.rs:2\n", 1),
            "a::b c ");
}

TEST(Stack, KeepsAtMostSoManyFrames) {
  std::string text;
  for (std::size_t i = 0; i < kMaxStackFrames + 10; ++i) text.append("at f (a.js:1:2)\n");
  EXPECT_EQ(parsed(text).size(), kMaxStackFrames);
}

TEST(Stack, ALongerLineIsNoFrame) {
  const std::string name(kMaxStackLine, 'x');
  EXPECT_EQ(shown("at " + name + " (a.js:1:2)\nat f (a.js:1:2)\n"), "f | a.js | 1 | 2 | app +\n");
}

// Whatever repeats, a byte is looked at so many times at most: twice the text is twice the work.
TEST(Stack, WorkIsLinear) {
  constexpr std::size_t kSize = 1'000'000;
  constexpr std::size_t kLooks = 150;
  for (const std::string_view part : {"a",
                                      " ",
                                      "\n",
                                      "(",
                                      ")",
                                      "at (",
                                      "at f (",
                                      " (",
                                      "@",
                                      "a@",
                                      "\"@",
                                      "#0 (1)",
                                      "#0 ",
                                      "#1 0x1 ",
                                      "eval at ",
                                      " (eval at x (",
                                      "[as ",
                                      "/<",
                                      "async ",
                                      "0: a",
                                      "0: \n",
                                      "File \"",
                                      "File \"a\", line 1\n",
                                      ": ",
                                      "E: m",
                                      "\n\t/a.go:1",
                                      "f()\n\t/a.go:1\n",
                                      "|",
                                      "| ",
                                      " at ",
                                      " in ",
                                      " line ",
                                      "PL/x function ",
                                      " > ",
                                      "<",
                                      "{",
                                      "[",
                                      "at a(b.java:1)\n",
                                      "a@b:1:1\n",
                                      "x\n",
                                      "a.js:1:1\n",
                                      "#0 a(1): b\n",
                                      "#0 0x1 in f /a:1\n",
                                      "0 a 0x1 b + 1\n",
                                      "at A.b() in c:line 1\n",
                                      ".",
                                      "1",
                                      ":1",
                                      "\xff",
                                      "at a\n",
                                      "Traceback (most recent call last):\n",
                                      "  at x:1\n",
                                      " called at [",
                                      ": in ",
                                      " (0x",
                                      " +0x",
                                      "\tat ",
                                      "SQL statement \"\n",
                                      "* a:1:1 in f\n"}) {
    std::string text;
    while (text.size() < kSize) text.append(part);
    for (const std::string_view opening :
         {"", "at ", "#0 ", "File \"", "x@", "0: ", "PHP 1. f(", "==1== at 0x1: ", "a  at "}) {
      const std::string whole = std::string(opening) + text;
      std::pmr::vector<StackFrame> frames;
      // A message that nearly is there, everywhere.
      const std::string message = text.substr(0, kSize / 2) + "!";
      EXPECT_LE(parse_stack(whole, {"E", message}, frames), kLooks * whole.size())
          << opening << part;
      frames.clear();
      // The longest lines that are read.
      std::string lines;
      while (lines.size() < kSize / 4)
        lines.append(opening).append(text, 0, kMaxStackLine - 10).append("\n");
      EXPECT_LE(parse_stack(lines, {}, frames), kLooks * lines.size()) << opening << part;
    }
  }
}

}  // namespace
}  // namespace vigil
