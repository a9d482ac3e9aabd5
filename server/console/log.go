package console

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"licensekit/exporter/evidence"
	"licensekit/server/client"
)

const (
	logPath     = "/console/log"
	apiLogsPath = "/api/v1/logs"
)

// logFacts is what is shown of one of the logs.
type logFacts struct {
	Number      int
	Origin      string
	Status      string // "active" or "closed"
	Size        int64
	Root        string
	VerifierKey string `json:"verifier_key"`
}

// logPage is what the page of keys and logs shows. All of it is public.
type logPage struct {
	Keys       []evidence.PublicKeyRecord // that sign exports, the active one first
	Log        logFacts
	Closed     []logFacts
	Checkpoint string // the newest, a signed note
	Cosigned   *cosigned
}

// cosigned is the newest checkpoint that witnesses signed too.
type cosigned struct {
	Size      int64
	Text      string
	Witnesses []witness
}

// witness is who cosigned a checkpoint, and when by their own clock.
type witness struct {
	Name string
	At   time.Time // zero where they say none
}

// showLog shows with what exports are signed, and the log that they stand in.
func (c *Console) showLog(v *visit) error {
	page := logPage{}
	var keys []evidence.PublicKeyRecord
	if _, err := v.call(http.MethodGet, "/api/v1/system/public-keys", nil, nil, &keys); err != nil {
		return err
	}
	for _, k := range keys {
		if k.Purpose == evidence.ForExport {
			page.Keys = append(page.Keys, k)
		}
	}
	var logs []logFacts
	if _, err := v.call(http.MethodGet, apiLogsPath, nil, nil, &logs); err != nil {
		return err
	}
	for _, l := range logs {
		if l.Status == "active" {
			page.Log = l
		} else {
			page.Closed = append(page.Closed, l)
		}
	}
	prefix := apiLogsPath + "/" + strconv.Itoa(page.Log.Number)
	var err error
	if page.Checkpoint, err = v.text(prefix + "/checkpoint"); err != nil {
		return err
	}
	text, err := v.text(prefix + "/cosigned")
	var none *client.Error
	switch {
	case errors.As(err, &none) && none.Status == http.StatusNotFound:
	case err != nil:
		return err
	default:
		page.Cosigned = readCosigned(text)
	}
	return v.show(http.StatusOK, "log", page)
}

// text asks for what the API answers with in plain text.
func (v *visit) text(path string) (string, error) {
	resp, err := client.Within(inner{v}).Do(v.context(), client.Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// readCosigned takes a cosigned checkpoint apart (C2SP tlog-checkpoint and
// tlog-cosignature). The server has checked the signatures.
func readCosigned(text string) *cosigned {
	body, signatures, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(body, "\n")
	found := &cosigned{Text: text}
	if len(lines) > 1 {
		found.Size, _ = strconv.ParseInt(lines[1], 10, 64)
	}
	for line := range strings.Lines(signatures) {
		fields := strings.Fields(line) // a dash, the name, key hash and signature
		if len(fields) != 3 || fields[1] == lines[0] {
			continue
		}
		w := witness{Name: fields[1]}
		if raw, err := base64.StdEncoding.DecodeString(fields[2]); err == nil && len(raw) > 12 {
			w.At = time.Unix(int64(binary.BigEndian.Uint64(raw[4:12])), 0)
		}
		found.Witnesses = append(found.Witnesses, w)
	}
	return found
}
