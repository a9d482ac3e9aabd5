package server

import (
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
)

// identity is the coding of a body that is sent as it is.
const identity = "identity"

// contentCoding is how a request's body is packed (RFC 9110, Content-Encoding),
// in lower case.
func contentCoding(r *request) string {
	coding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ", ")))
	switch coding {
	case "":
		return identity
	case "x-gzip":
		return "gzip"
	}
	return coding
}

func unsupportedCoding(coding, accepted string) *problem {
	return &problem{status: 415, code: "UNSUPPORTED_ENCODING", message: "this route does not unpack that Content-Encoding",
		detail: "the request's is " + coding + "; it takes " + accepted, header: map[string]string{"Accept-Encoding": accepted}}
}

// unpack gives a body as it was before it was packed. Both forms are bounded
// by the same limit, so a small body can't become an endless one.
func unpack(w http.ResponseWriter, r *request, limit int64) (io.Reader, error) {
	body := http.MaxBytesReader(w, r.Body, limit)
	switch coding := contentCoding(r); coding {
	case identity:
		return body, nil
	case "gzip":
		return http.MaxBytesReader(w, io.NopCloser(&gunzip{packed: body}), limit), nil
	default:
		return nil, unsupportedCoding(coding, "gzip, identity")
	}
}

// gunzip unpacks as it is read.
type gunzip struct {
	packed io.Reader
	plain  *gzip.Reader // nil until the first Read
}

// Read unpacks. Errors: io.ErrUnexpectedEOF for a stream that is cut off,
// *problem for one that is damaged, the packed reader's own.
func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.plain == nil {
		if g.plain, err = gzip.NewReader(g.packed); err != nil {
			g.plain = nil
			return 0, damaged(err)
		}
	}
	n, err = g.plain.Read(p)
	return n, damaged(err)
}

func damaged(err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt) {
		return &problem{status: 400, code: "INVALID_ENCODING", message: "the request's body can't be unpacked", detail: err.Error()}
	}
	return err
}
