package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/julienschmidt/httprouter"

	"licensekit/auth"
)

// A stop lets a request that is under way finish, and lets no new one in.
func TestStopFinishesRequests(t *testing.T) {
	s := openSite(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	s.router.Handle("GET", "/slow", func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
		close(entered)
		<-leave
		io.WriteString(w, "done, and not cancelled: ")
		if r.Context().Err() == nil {
			io.WriteString(w, "yes")
		}
	})
	owner, err := ListenOwner(s.opts.Data)
	if err != nil {
		t.Fatal(err)
	}
	s.serve(t, owner)
	body := make(chan string, 1)
	go func() {
		resp, err := http.Get(s.url + "/slow")
		if err != nil {
			body <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		body <- string(text)
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	eventually(t, "both listeners are closed", func() bool {
		tcp, tcpErr := net.Dial("tcp", s.address)
		unix, unixErr := DialOwner(context.Background(), s.opts.Data)
		for _, conn := range []net.Conn{tcp, unix} {
			if conn != nil {
				conn.Close()
			}
		}
		return tcpErr != nil && unixErr != nil
	})
	select {
	case err := <-stopped:
		t.Fatalf("Serve returned %v while a request was under way", err)
	default:
	}
	close(leave)
	if got, want := <-body, "done, and not cancelled: yes"; got != want {
		t.Errorf("the request that was under way got %q, want %q", got, want)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}

// Who waits for an export when the server stops is answered with it as it is.
func TestStopEndsWaiting(t *testing.T) {
	s := newSite(t, workers(0))
	answers := make(chan answer, 1)
	token := s.token(t, auth.ReportExport)
	go func() {
		answers <- s.do(t, call{method: "POST", path: exportsPath, token: token, body: jsonExport, header: map[string]string{"Prefer": "wait=60"}})
	}()
	eventually(t, "the export waits", func() bool { return s.exports.Unfinished() == 1 })
	began := time.Now()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	var x exportData
	(<-answers).into(t, 202, &x)
	if took := time.Since(began); took > 10*time.Second || x.Status != "pending" {
		t.Errorf("stopped after %v with an export that is %s; want at once, pending", took, x.Status)
	}
}

// A listener that breaks ends the others: half a server is none.
func TestBrokenListenerEndsServe(t *testing.T) {
	s := openSite(t)
	good, err := ListenTCP("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	bad, err := ListenTCP("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	bad.Close()
	if err := s.Serve(t.Context(), good, bad); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve = %v, want %v", err, net.ErrClosed)
	}
	for _, l := range []Listener{good, bad} {
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Serve, Accept on %s = %v, want it closed", l.Addr(), err)
		}
	}
}

// A server that was stopped and closed leaves no goroutine behind.
func TestNoGoroutineIsLeft(t *testing.T) {
	stacks := func() string {
		buffer := make([]byte, 1<<20)
		return string(buffer[:runtime.Stack(buffer, true)])
	}
	before := runtime.NumGoroutine()
	t.Run("life", func(t *testing.T) {
		s := openSite(t)
		listener, dial := InProcess()
		owner, err := ListenOwner(s.opts.Data)
		if err != nil {
			t.Fatal(err)
		}
		s.serve(t, listener, owner)
		s.fetch(t, s.ready(t, jsonExport), nil)
		s.owned(dial).do(t, call{method: "GET", path: exportsPath})
	})
	eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before })
	if left := stacks(); strings.Contains(left, "server.(*Server).Serve") {
		t.Errorf("a goroutine of Serve is left:\n%s", left)
	}
}

// Stories of stalls: a client that stops in the middle is let go.
func TestStalledUpload(t *testing.T) {
	s := openSite(t)
	s.limits.patience = 500 * time.Millisecond
	s.serve(t)
	conn := s.begin(t, activitiesPath, auth.ReportWrite, "text/csv", csvBody, 1_000_000)
	a := readAnswer(t, conn, "POST", activitiesPath).want(t, 408, "REQUEST_TIMEOUT")
	if got := resultOf(t, a); got.Accepted != 2 {
		t.Errorf("result %+v, want the 2 rows that came before the stall", got)
	}
	conn = s.begin(t, exportsPath, auth.ReportExport, "application/json", "{", 100)
	readAnswer(t, conn, "POST", exportsPath).want(t, 408, "REQUEST_TIMEOUT")
	// Nobody reads the body of a request that is refused, and net/http waits
	// for it: not for ever.
	conn = s.begin(t, exportsPath, auth.ReportRead, "application/json", "{", 100)
	readAnswer(t, conn, "POST", exportsPath).want(t, 403, "TOKEN_SCOPE_DENIED")
}

// A slow upload that keeps moving has all the time it needs, and so has the
// handler after it.
func TestSlowUpload(t *testing.T) {
	s := openSite(t, workers(0))
	s.limits.patience = 500 * time.Millisecond
	s.serve(t)
	conn := s.begin(t, activitiesPath, auth.ReportWrite, "text/csv", "", len(csvBody))
	for i := 0; i < len(csvBody); i += 30 {
		time.Sleep(100 * time.Millisecond)
		if _, err := io.WriteString(conn, csvBody[i:min(i+30, len(csvBody))]); err != nil {
			t.Fatal(err)
		}
	}
	var got account
	readAnswer(t, conn, "POST", activitiesPath).into(t, 200, &got)
	if got.Accepted != 2 {
		t.Errorf("account %+v, want 2 accepted", got)
	}
	// Longer than the patience, with the body read and the client waiting.
	if a := s.createWith(t, jsonExport, map[string]string{"Prefer": "wait=1"}); a.status != 202 {
		t.Errorf("%s; want status 202", a)
	}
}

// A client that takes nothing is let go, and one that takes its time is not.
func TestStalledDownload(t *testing.T) {
	s := openSite(t)
	s.limits.patience = 200 * time.Millisecond
	left := make(chan error, 1)
	s.router.Handle("GET", "/endless", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		var err error
		for err == nil {
			_, err = w.Write(make([]byte, 1<<20))
		}
		left <- err
	})
	s.serve(t)
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	for range 5 { // slower than the patience in all, but never standing still
		time.Sleep(100 * time.Millisecond)
		if _, err := io.CopyN(io.Discard, conn, 8<<20); err != nil {
			t.Fatalf("while the client reads: %v", err)
		}
	}
	select {
	case err := <-left:
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("the write ended with %v, want a timeout", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("a client that takes nothing still holds its handler after 10 s")
	}
}
