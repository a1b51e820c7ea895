package activity

// categorizedData is the document of the task's content, as far as it is not there yet.
func (t *task) categorizedData() CategorizedData {
	id := t.ContentID
	if id.IsZero() {
		id = t.contentID
	}
	return CategorizedData{
		ID: id, Content: t.Content, CategoryID: t.verdict.category, LLM: t.verdict.llm,
		Source: t.Delivery.Source, Position: t.Delivery.Position,
	}
}

// usageLog is the document of the task's event.
func (t *task) usageLog() UsageLog {
	return UsageLog{
		ID: t.ID, User: t.User,
		CategorizedDataID: t.verdict.document, CategoryID: t.verdict.category,
		Session: t.Session, SessionDate: t.SessionDate, SessionMinutes: t.SessionMinutes,
		Timestamp: t.Timestamp, Duration: t.Duration,
		Source: t.Delivery.Source, Position: t.Delivery.Position,
	}
}
