package console_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"licensekit/exporter"
)

// patience is how long a test waits for the browser, which may be slow on a
// busy machine, and lifetime how long a tab may be there at all: what hangs
// fails its test and no more.
const (
	patience = 90 * time.Second
	lifetime = 6 * time.Minute
)

// browsers are what Debian and others call Chromium.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "chrome"}

// chromium starts the browser that all tests share; each tab has a profile of
// its own.
var chromium = sync.OnceValues(func() (context.Context, error) {
	i := slices.IndexFunc(browsers, func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	if i < 0 {
		return nil, exec.ErrNotFound
	}
	dir, err := os.MkdirTemp("", "licensekit-chromium-")
	if err != nil {
		return nil, err
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(browsers[i]), chromedp.UserDataDir(dir), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.DisableGPU, chromedp.NoSandbox,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true))
	shared, _ := chromedp.NewContext(ctx)
	stopBrowser = func() {
		within(patience, func() error { return chromedp.Cancel(shared) })
		stop() // kills what did not end
		os.RemoveAll(dir)
	}
	return shared, within(patience, func() error { return chromedp.Do(shared) })
})

var stopBrowser = func() {}

// within lets something take so long. The contexts of the browser and of tabs
// can't have a time limit from the start on: it would be theirs for ever.
func within(limit time.Duration, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return context.DeadlineExceeded
	}
}

func TestMain(m *testing.M) {
	if exporter.AnswerInspection(os.Args, os.Stdout) {
		return
	}
	code := m.Run()
	stopBrowser()
	if err := stopShared(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the shared server:", err)
		code = 1
	}
	os.Exit(code)
}

// tab is a page of the browser, with what went wrong in it.
type tab struct {
	t    testing.TB
	ctx  context.Context
	base string // URL of the server

	mu       sync.Mutex
	problems []string // guarded by mu
	asked    []string // URLs of requests; guarded by mu
}

// violations is run in each document before anything else.
const violations = `addEventListener("securitypolicyviolation", (e) => console.error("policy violation: " + e.violatedDirective + " " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber))`

// newTab opens a tab with cookies of its own in a language. When the test
// ends, whatever the console of the browser complained of fails it.
func newTab(t testing.TB, base, language string) *tab {
	t.Helper()
	shared, err := chromium()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("start a browser, one of %v: %v; apt-get install chromium", browsers, err)
		}
		t.Skipf("start a browser, one of %v: %v; apt-get install chromium", browsers, err)
	}
	b := &tab{t: t, base: base}
	limited, letGo := context.WithTimeout(shared, lifetime)
	t.Cleanup(letGo)
	var closeTab context.CancelFunc
	b.ctx, closeTab = chromedp.NewContext(limited, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.notice))
	if err := within(patience, func() error { return chromedp.Do(b.ctx) }); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	command(b, network.Enable, network.EnableParams{})
	command(b, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "Chromium under test", AcceptLanguage: language})
	command(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: violations})
	b.do(chromedp.EmulateViewport(1280, 900))
	t.Cleanup(func() {
		closeTab()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, problem := range b.problems {
			t.Errorf("the browser says: %s", problem)
		}
		for _, url := range b.asked {
			if !slices.ContainsFunc([]string{base + "/", "data:", "blob:", "file:", "about:blank"}, func(own string) bool { return strings.HasPrefix(url, own) }) {
				t.Errorf("the page asked for %s, which is elsewhere", url)
			}
		}
	})
	return b
}

// command sends a command of the DevTools protocol.
func command[P, R any](b *tab, cmd cdp.Command[P, R], params P) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, cmd, params); err != nil {
		b.t.Fatalf("command of the browser: %v", err)
	}
}

// notice keeps what the browser complains of. That a response was an error is
// for the tests to say.
func (b *tab) notice(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			var words []string
			for _, arg := range e.Args {
				words = append(words, string(arg.Value), arg.Description)
			}
			b.problems = append(b.problems, "console: "+strings.Join(words, " "))
		}
	case *log.EventEntryAdded:
		if e.Entry.Source != log.EntrySourceNetwork && (e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning) {
			b.problems = append(b.problems, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	}
}

// do runs actions, and fails the test where they don't come to an end.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	act(b, "act", chromedp.Steps(actions...))
}

// act runs an action and gives its value.
func act[T any](b *tab, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("%s: %v; %s", what, err, b.state())
	}
	return value
}

// state is what the tab shows, for failures.
func (b *tab) state() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + (document.body ? document.body.innerText : "")`))
	return fmt.Sprintf("the page, %v: %.3000s", err, text)
}

// open goes to a path of the server and gives the response's status.
func (b *tab) open(path string) int {
	b.t.Helper()
	return b.lead("open "+path, chromedp.Navigate(b.base+path))
}

// click clicks on something that leads to another page, waits for that, and
// gives its status.
func (b *tab) click(selector string) int {
	b.t.Helper()
	return b.lead("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

func (b *tab) lead(what string, action chromedp.Action[chromedp.Void]) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	resp, err := chromedp.RunResponse(ctx, action)
	if err != nil {
		b.t.Fatalf("%s: %v; %s", what, err, b.state())
	}
	return int(resp.Status)
}

// press clicks on something that stays on the page.
func (b *tab) press(selector string) {
	b.t.Helper()
	act(b, "press "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// fill types into a field, in place of what it held.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	evaluate[chromedp.Void](b, fmt.Sprintf(`{ document.querySelector(%q).value = "" }`, selector))
	act(b, "fill "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// choose sets a select, as a person does.
func (b *tab) choose(selector, value string) {
	b.t.Helper()
	evaluate[bool](b, fmt.Sprintf(`(() => { const s = document.querySelector(%q); s.value = %q; return s.dispatchEvent(new Event("change", {bubbles: true})) })()`, selector, value))
}

// evaluate gives the value of a script.
func evaluate[T any](b *tab, script string) T {
	b.t.Helper()
	return act(b, fmt.Sprintf("evaluate %.200s", script), chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// text is what a person reads in an element.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return evaluate[string](b, fmt.Sprintf(`document.querySelector(%q).innerText.replaceAll(/\s+/g, " ").trim()`, selector))
}

// count is how many elements there are.
func (b *tab) count(selector string) int {
	b.t.Helper()
	return evaluate[int](b, fmt.Sprintf(`document.querySelectorAll(%q).length`, selector))
}

// path is where the tab is.
func (b *tab) path() string {
	b.t.Helper()
	return evaluate[string](b, `location.pathname + location.search`)
}

// shows checks that the page has these texts in it, now or soon.
func (b *tab) shows(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		b.until(fmt.Sprintf(`document.body.innerText.replaceAll(/\s+/g, " ").toLowerCase().includes(%q)`, strings.ToLower(text)), "the page shows "+text)
	}
}

// until waits for a condition, which may be a promise, on this page or those that
// follow it.
func (b *tab) until(condition, what string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		met, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Promise.resolve("+condition+").then(Boolean)", chromedp.EvalAwaitPromise))
		cancel()
		if met {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: not so (%v); %s", what, err, b.state())
		}
	}
}

//go:embed testdata/axe-core/axe.min.js
var axe string

// finding is something that axe-core has found wrong.
type finding struct {
	ID, Help string
	Nodes    []struct {
		HTML           string
		FailureSummary string
	}
}

// inspect looks at the page as it is in light, in dark and on a phone: axe-core
// finds nothing wrong, and nothing sticks out at the side. The pictures are kept
// under the name where LICENSEKIT_PICTURES names a directory.
func (b *tab) inspect(name string) {
	b.t.Helper()
	evaluate[chromedp.Void](b, axe+"; undefined")
	for _, look := range []struct {
		name, scheme  string
		width, height int64
		rules         string // of axe-core
	}{
		{"light", "light", 1280, 900, `{runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}`},
		{"dark", "dark", 1280, 900, `{runOnly: {type: "rule", values: ["color-contrast", "link-in-text-block"]}}`},
		{"phone", "light", 360, 740, `{runOnly: {type: "rule", values: ["target-size", "scrollable-region-focusable", "color-contrast"]}}`},
	} {
		b.do(chromedp.EmulateViewport(look.width, look.height))
		command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: look.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		b.accessible(name+" "+look.name, look.rules)
		if over := evaluate[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
			b.t.Errorf("%s %s: the page is %d pixels wider than the window", name, look.name, over)
		}
		if most := evaluate[float64](b, `Math.max(0, ...[...document.querySelectorAll(".status")].map((s) => s.offsetHeight / parseFloat(getComputedStyle(s).lineHeight)))`); most > 4 {
			b.t.Errorf("%s %s: a status is %.1f lines high", name, look.name, most)
		}
		b.picture(name + "-" + look.name)
	}
	b.do(chromedp.EmulateViewport(1280, 900))
}

func (b *tab) accessible(name, rules string) {
	b.t.Helper()
	text := evaluate[string](b, `axe.run(document, `+rules+`).then((r) => JSON.stringify(r.violations))`)
	var violations []finding
	if err := json.Unmarshal([]byte(text), &violations); err != nil {
		b.t.Fatal(err)
	}
	for _, f := range violations {
		for _, n := range f.Nodes {
			b.t.Errorf("%s: axe-core: %s (%s): %s: %s", name, f.Help, f.ID, n.HTML, n.FailureSummary)
		}
	}
}

func (b *tab) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("LICENSEKIT_PICTURES")
	if dir == "" {
		return
	}
	png := act(b, "picture", chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
