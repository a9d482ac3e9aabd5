package intake

// contextFields are the fields that an event's attributes mean.
var contextFields = map[string]string{"id": "id", "type": "action", "source": "source", "time": "occurred_at"}

// readCloudEvents reads a batch of events, or one event.
func readCloudEvents(in *source, w *writer) error {
	if w.isRecords() {
		return &FileError{Field: "format", Code: CodeInvalidOption, Message: "is cloudevents, which carries activities only"}
	}
	if source := w.find("source"); w.fixed&(1<<source) == 0 {
		w.needed |= 1 << source
	}
	return readElements(in, w, newEventRow(w).read)
}

// eventRow reads rows that are CloudEvents.
type eventRow struct {
	objectRow
	attributes map[string][]int // what the names mean in the event
	data       map[string][]int // and in its data
	version    bool             // specversion was met
}

func newEventRow(w *writer) *eventRow {
	r := &eventRow{objectRow: *newObjectRow(w), attributes: map[string][]int{}, data: map[string][]int{}}
	for name, fields := range w.sources {
		r.data[name] = fields
	}
	for _, m := range w.mapped {
		r.attributes[m.Column] = w.sources[m.Column]
	}
	for attribute, name := range contextFields {
		i := w.find(name)
		if w.claimed&(1<<i) != 0 {
			continue
		}
		delete(r.data, name)
		if r.attributes[attribute] == nil {
			r.attributes[attribute] = []int{i}
		}
	}
	return r
}

// read is that of objectRow, for events.
func (r *eventRow) read(data []byte) (bad *fault, malformed *syntaxError) {
	r.lexer.reset(data)
	r.clear()
	r.version, r.scope = false, ""
	if malformed = r.whole(func() *syntaxError { return r.lexer.members(r.attribute) }); malformed != nil {
		return nil, malformed
	}
	if !r.version {
		r.fail(faultf(CodeMissingField, "is required in a CloudEvent").on("specversion"))
	}
	return r.bad, nil
}

// attribute reads an attribute of the event. Unknown ones are extensions and
// pass.
func (r *eventRow) attribute(name []byte) *syntaxError {
	l := &r.lexer
	if string(name) == "data" && l.peek() == '{' {
		r.once(name)
		r.scope = "data."
		err := l.nested(func() *syntaxError { return l.members(r.datum) })
		r.scope = ""
		return err
	}
	value, err := l.value()
	if err != nil {
		return err
	}
	if fields := r.attributes[string(name)]; fields != nil {
		r.take(fields, name, value)
		return nil
	}
	r.once(name)
	if bad := r.checkAttribute(string(name), value); bad != nil {
		r.fail(bad.on(string(name)))
	}
	return nil
}

// checkAttribute judges the attributes that are no field of ours.
func (r *eventRow) checkAttribute(name string, value cell) *fault {
	switch name {
	case "specversion":
		r.version = true
		if value.kind != jsonString || string(value.text) != "1.0" {
			return faultf(CodeInvalidValue, "is %s; want \"1.0\"", quote(value.text))
		}
	case "data":
		if value.kind != jsonNull {
			return value.mistyped("a JSON object")
		}
	case "data_base64":
		return faultf(CodeInvalidValue, "is not read; the data must be a JSON object in data")
	case "datacontenttype":
		if value.kind != jsonString || !isJSONType(string(value.text)) {
			return faultf(CodeInvalidValue, "is %s; want application/json", quote(value.text))
		}
	}
	return nil
}

// datum reads a member of the event's data.
func (r *eventRow) datum(name []byte) *syntaxError {
	value, err := r.lexer.value()
	if err != nil {
		return err
	}
	fields := r.data[string(name)]
	if fields == nil && r.writer.find(string(name)) >= 0 && !r.writer.open {
		r.fail(faultf(CodeUnknownField, "is an attribute of the event, not of its data").on(r.nameOf(name)))
	}
	r.take(fields, name, value)
	return nil
}
