package console

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"licensekit/exporter/evidence"
	"licensekit/server/client"
)

const (
	logPath     = "/console/log"
	apiLogsPath = "/api/v1/logs"
	apiKeysOf   = "/api/v1/system/public-keys"
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

func (l logFacts) api() string { return apiLogsPath + "/" + strconv.Itoa(l.Number) }

// logPage is what the page of keys and logs shows. All of it is public.
type logPage struct {
	Keys       []evidence.PublicKeyRecord // that sign exports, the active one first
	Log        logFacts
	Witnessed  cosignedPage // checkpoints of that log
	Closed     []closedLog  // oldest first
	Checkpoint string       // the newest, a signed note
	Behind     *failure     // why nothing is entered in the log; nil if that is not so
	Seen       int64        // up to where witnesses have seen it
	Proof      string       // the URL of what they are sent next, "" if they have seen all of it

	Given   string    // witnesses' keys, in the form
	Kept    *cosigned // what the form has brought
	Failure *failure  // or why it was not taken
}

// closedLog is a log that grows no more.
type closedLog struct {
	logFacts
	Witnessed cosignedPage
}

// cosignedPage is a page of the cosigned checkpoints of one log.
type cosignedPage struct {
	Cosigned []cosigned // the newest first
	Unread   *failure   // why they can't be shown
	Older    string     // the following page's URL, "" on the last
	Newest   string     // the first page's URL, "" on it
}

// cosigned is a checkpoint that witnesses signed too, as the API tells of it.
type cosigned struct {
	Size         int64
	Root         string
	Cosignatures []struct {
		Witness string
		At      time.Time `json:"cosigned_at"` // by the witness's clock; zero where it says none
	}
	LeftOut []struct {
		Name    string
		KeyHash string `json:"key_hash"`
	} `json:"left_out"`
	Contradicts bool     `json:"contradicts_log"`
	Error       *failure // for which it can't be read
	URL         string   `json:"-"` // of the signed note, "" where the API does not give it
	File        string   `json:"-"` // how it is called then
}

// shownCosigned is how many cosigned checkpoints a page has.
const shownCosigned = "10"

// showLog shows with what exports are signed, and the log that they stand in.
func (c *Console) showLog(v *visit) error {
	page, err := v.logPage()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "log", page)
}

func (v *visit) logPage() (page logPage, err error) {
	if page.Keys, err = v.exportKeys(); err != nil {
		return page, err
	}
	var logs []logFacts
	if _, err := v.call(http.MethodGet, apiLogsPath, nil, nil, &logs); err != nil {
		return page, err
	}
	for _, l := range logs {
		if l.Status == "active" {
			page.Log = l
		} else {
			page.Closed = append(page.Closed, closedLog{logFacts: l})
		}
	}
	reasons, err := v.unready()
	if err != nil {
		return page, err
	}
	for _, reason := range reasons {
		if reason.Code == "LOG_BEHIND" {
			page.Behind = &failure{Code: reason.Code, Message: reason.Message}
		}
	}
	if page.Checkpoint, err = v.text(page.Log.api() + "/checkpoint"); err != nil {
		return page, err
	}
	v.addCosigned(&page)
	return page, nil
}

// exportKeys are the keys that sign exports, the active one first.
func (v *visit) exportKeys() (keys []evidence.PublicKeyRecord, err error) {
	var all []evidence.PublicKeyRecord
	if _, err := v.call(http.MethodGet, apiKeysOf, nil, nil, &all); err != nil {
		return nil, err
	}
	for _, k := range all {
		if k.Purpose == evidence.ForExport {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// addCosigned adds what witnesses have cosigned, and what to send them next.
// Damage there is no reason not to show the rest.
func (v *visit) addCosigned(page *logPage) {
	query := v.query("log", "cursor")
	page.Witnessed = v.cosignedOf(page.Log, "", query)
	for i := range page.Closed {
		page.Closed[i].Witnessed = v.cosignedOf(page.Closed[i].logFacts, strconv.Itoa(page.Closed[i].Number), query)
	}
	newest := page.Witnessed.Cosigned
	if page.Witnessed.Unread == nil && page.Witnessed.Newest != "" {
		newest = nil
		if _, err := v.call(http.MethodGet, page.Log.api()+"/cosignatures", url.Values{"limit": {"1"}}, nil, &newest); err != nil {
			page.Witnessed.Unread = v.failureOf(err)
		}
	}
	if page.Witnessed.Unread != nil {
		return
	}
	if len(newest) > 0 {
		page.Seen = newest[0].Size
	}
	if page.Seen < page.Log.Size {
		page.Proof = page.Log.api() + "/consistency?from=" + strconv.FormatInt(page.Seen, 10)
	}
}

// cosignedOf is a page of the cosigned checkpoints of a log: the one that the
// query asks for, if it names that log, and else the first. Closed logs have a
// name in the query.
func (v *visit) cosignedOf(l logFacts, name string, query url.Values) (page cosignedPage) {
	ask, turn, at := url.Values{"limit": {shownCosigned}}, url.Values{}, "#witnesses_title"
	if name != "" {
		turn, at = url.Values{"log": {name}}, "#log_"+name
	}
	if query.Has("cursor") && query.Get("log") == name {
		ask.Set("cursor", query.Get("cursor"))
		page.Newest = logPath + at
	}
	next, err := v.call(http.MethodGet, l.api()+"/cosignatures", ask, nil, &page.Cosigned)
	if err != nil {
		page.Unread = v.failureOf(err)
		return page
	}
	for i := range page.Cosigned {
		page.Cosigned[i].offer(l, name)
	}
	if next.NextCursor != nil {
		page.Older = with(logPath, turn, "cursor", strconv.FormatInt(*next.NextCursor, 10)) + at
	}
	return page
}

// offer says where the signed note is to be had.
func (c *cosigned) offer(l logFacts, name string) {
	if c.Contradicts || c.Error != nil {
		return
	}
	size := strconv.FormatInt(c.Size, 10)
	c.URL, c.File = l.api()+"/cosigned?size="+size, "cosigned-"+size+".txt"
	if name != "" {
		c.File = "cosigned-log" + name + "-" + size + ".txt"
	}
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
