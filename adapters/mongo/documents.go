package mongo

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"leat/handlers/activity"
	"leat/handlers/delivery"
)

// logDocument is a document of pomodoro_usage_log. One that the producer created has no position yet.
type logDocument struct {
	ID                bson.ObjectID `bson:"_id"`
	User              string        `bson:"userId"`
	CategorizedDataID bson.ObjectID `bson:"categorizedDataId,omitempty"`
	CategoryID        bson.ObjectID `bson:"categoryId,omitempty"`
	Session           int           `bson:"session"`
	SessionMinutes    int           `bson:"sessionMinutes"`
	SessionDate       string        `bson:"sessionDate"`
	Timestamp         bson.DateTime `bson:"timestamp"`
	Duration          float64       `bson:"duration"`
	Source            string        `bson:"source"`
	Position          string        `bson:"position"`
}

func fromLog(log activity.UsageLog) logDocument {
	return logDocument{
		ID: bson.ObjectID(log.ID), User: log.User,
		CategorizedDataID: bson.ObjectID(log.CategorizedDataID), CategoryID: bson.ObjectID(log.CategoryID),
		Session: log.Session, SessionMinutes: log.SessionMinutes, SessionDate: log.SessionDate,
		Timestamp: bson.DateTime(log.Timestamp.UnixMilli()), Duration: log.Duration,
		Source: log.Source, Position: log.Position.Key(),
	}
}

func (d logDocument) log() (activity.UsageLog, error) {
	position, err := delivery.ParseKey(d.Position)
	return activity.UsageLog{
		ID: activity.ID(d.ID), User: d.User,
		CategorizedDataID: activity.ID(d.CategorizedDataID), CategoryID: activity.ID(d.CategoryID),
		Session: d.Session, SessionMinutes: d.SessionMinutes, SessionDate: d.SessionDate,
		Timestamp: time.UnixMilli(int64(d.Timestamp)).UTC(), Duration: d.Duration,
		Source: d.Source, Position: position,
	}, err
}

// completion writes the document over that of the producer. Where leat wrote it meanwhile, it changes nothing.
func (d logDocument) completion() mongo.WriteModel {
	return mongo.NewUpdateOneModel().
		SetFilter(bson.D{{Key: "_id", Value: d.ID}, unwritten}).
		SetUpdate(bson.D{{Key: "$set", Value: d}})
}

// contentDocument is a document of categorized_data. leat writes empty parts of the content as empty strings; a
// producer may leave them out.
type contentDocument struct {
	ID         bson.ObjectID `bson:"_id"`
	App        string        `bson:"app"`
	URL        string        `bson:"url"`
	Title      string        `bson:"title"`
	CategoryID bson.ObjectID `bson:"categoryId,omitempty"`
	LLM        bool          `bson:"isLLMBased"`
	Source     string        `bson:"source"`
	Position   string        `bson:"position"`
}

func fromContent(data activity.CategorizedData) contentDocument {
	return contentDocument{
		ID: bson.ObjectID(data.ID), App: data.Content.App, URL: data.Content.URL, Title: data.Content.Title,
		CategoryID: bson.ObjectID(data.CategoryID), LLM: data.LLM, Source: data.Source, Position: data.Position.Key(),
	}
}

func (d contentDocument) data() (activity.CategorizedData, error) {
	position, err := delivery.ParseKey(d.Position)
	return activity.CategorizedData{
		ID: activity.ID(d.ID), Content: activity.Content{App: d.App, URL: d.URL, Title: d.Title},
		CategoryID: activity.ID(d.CategoryID), LLM: d.LLM, Source: d.Source, Position: position,
	}, err
}

// classification gives the category of data to a stored document. Where it has one meanwhile, it changes nothing.
func classification(stored, data activity.CategorizedData) mongo.WriteModel {
	set := bson.D{{Key: "categoryId", Value: bson.ObjectID(data.CategoryID)}, {Key: "isLLMBased", Value: data.LLM}}
	if stored.Source == "" {
		set = append(set, bson.E{Key: "source", Value: data.Source}, bson.E{Key: "position", Value: data.Position.Key()})
	}
	return mongo.NewUpdateOneModel().
		SetFilter(bson.D{{Key: "_id", Value: bson.ObjectID(stored.ID)}, {Key: "categoryId", Value: nil}}).
		SetUpdate(bson.D{{Key: "$set", Value: set}})
}

// patternDocument is a document of category_pattern.
type patternDocument struct {
	ID       bson.ObjectID `bson:"_id"`
	Category string        `bson:"category"`
	Apps     []string      `bson:"appPatterns"`
	Domains  []string      `bson:"domainPatterns"`
	Titles   []string      `bson:"titlePatterns"`
}

// objectIDs are the ids as MongoDB knows them.
func objectIDs(ids []activity.ID) []bson.ObjectID {
	out := make([]bson.ObjectID, len(ids))
	for i, id := range ids {
		out[i] = bson.ObjectID(id)
	}
	return out
}
