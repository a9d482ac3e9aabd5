package server

import (
	"io"
	"net/http"
	"time"
)

// A request may take as long as it needs, but not stand still: whenever the
// server waits for the client, it waits this long for the next bytes of a body
// to come, and twice as long for the next stride of a response to be taken.
const (
	patience = time.Minute
	stride   = 512 << 10 // bytes
)

// pace sets the deadlines of a connection, by the machine's own clock. Where
// the connection has none, as in a test's recorder, nothing happens.
//
// HTTP/1 looks at a deadline only when it reads or writes, so one that passes
// while a handler computes does no harm, and one that stays behind guards what
// net/http does with the connection afterwards. HTTP/2 ends the stream whenever
// the time has come, so there a deadline is lifted as soon as it has served.
type pace struct {
	control  *http.ResponseController
	patience time.Duration
	http1    bool
}

func (p *pace) beforeRead() { p.control.SetReadDeadline(time.Now().Add(p.patience)) }

// beforeWrite gives twice as long: net/http may wait for the rest of a body
// that no handler read before it sends the header, and that is no fault of the
// response.
func (p *pace) beforeWrite() { p.control.SetWriteDeadline(time.Now().Add(2 * p.patience)) }

// afterRead lifts the deadline at the end of the body, from where on net/http
// reads ahead to notice a client that hangs up: to wait for it is no stall.
func (p *pace) afterRead(err error) {
	if err == io.EOF || !p.http1 {
		p.control.SetReadDeadline(time.Time{})
	}
}

func (p *pace) afterWrite() {
	if !p.http1 {
		p.control.SetWriteDeadline(time.Time{})
	}
}

// body gives a request's body of which something must come every so often. An
// HTTP/1 body that no handler reads is under the deadline too, since net/http
// waits for it before it answers.
func (p *pace) body(body io.ReadCloser) io.ReadCloser {
	if body == nil || body == http.NoBody {
		return body
	}
	if p.http1 {
		p.beforeRead()
	}
	return &pacedBody{ReadCloser: body, pace: p}
}

type pacedBody struct {
	io.ReadCloser
	pace *pace
}

// Read waits for the next bytes. Errors: os.ErrDeadlineExceeded where none come.
func (b *pacedBody) Read(p []byte) (int, error) {
	b.pace.beforeRead()
	n, err := b.ReadCloser.Read(p)
	b.pace.afterRead(err)
	return n, err
}
